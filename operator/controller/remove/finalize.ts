import type { ClusterTunnel, Spec } from '../../../crds/types.ts';
import type { KubeEvent } from '../../kube/events.ts';
import { RESOURCES } from '../../kube/objects.ts';
import { readAgentKeys, writeAgentKeys } from '../keys/agent-keys.ts';
import { keysName } from '../names.ts';
import { removalCommands } from '../objects/belongings.ts';
import { type ReconcileResult, retryWithinMs } from '../reconcile-result.ts';
import { type Failure, failureOf } from '../status/failure.ts';
import type { SessionFacts } from '../status/observe.ts';
import { type ReportDeps, report } from '../status/report.ts';
import { hasFinalizer, removeFinalizer } from './finalizer.ts';
import {
  afterFailure,
  drainingVerdict,
  drainMsOf,
  drainsUntilMs,
  failedVerdict,
  isAbandoned,
  type Removal,
  refusedVerdict,
  removalStatus,
  specForRemoval,
} from './removal.ts';
import { type Leftover, type RemoveAgentDeps, removeAgent } from './remove-agent.ts';

export interface FinalizeDeps extends ReportDeps, RemoveAgentDeps {
  readonly sessions: (name: string) => SessionFacts;
  /** How long a deletion waits for a remote cluster that does not answer. */
  readonly remoteRemovalTimeoutMs: number;
  /** Since when the agent of a tunnel (by name) is being removed: wall-clock milliseconds. */
  readonly removingSince: Map<string, { readonly uid: string; readonly sinceMs: number }>;
}

/**
 * Takes a deleted tunnel one step further, and says when to look again. Every step is decided from what is there, so a
 * restart goes on where it was.
 *
 *   keys invalid ─ sessions drain ─ agent removed (or given up) ─ Secret of keys removed ─ finalizer removed
 *
 * The keys go first: no agent can log in. Their emptied Secret goes last: that it is there says that something was made.
 */
export async function finalize(
  deps: FinalizeDeps,
  tunnel: ClusterTunnel,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  if (!hasFinalizer(tunnel)) return {};
  const spec = specForRemoval(tunnel.spec);
  const invalidated = await attempt(deps, tunnel, () => invalidateKeys(deps, tunnel, signal));
  if ('failure' in invalidated) return refused(deps, tunnel, invalidated.failure, signal);
  const { value: hadKeys } = invalidated;
  const removal = removalOf(deps, tunnel, spec, hadKeys);
  const untilMs = drainsUntilMs(removal);
  if (untilMs !== undefined) {
    await tell(deps, tunnel, drainingVerdict(removal, untilMs), signal);
    return { requeueAfterMs: untilMs - removal.nowMs };
  }
  const isManual = spec.agent.placement === 'Manual';
  const leftover = isManual ? undefined : await removeAgent(deps, tunnel, spec, signal);
  const next = leftover === undefined ? undefined : afterFailure(removal);
  if (leftover !== undefined && next?.do === 'retry') {
    return waitFor(deps, tunnel, removal, leftover.failure, next.giveUpAtMs, signal);
  }
  const released = await attempt(deps, tunnel, () => release(deps, tunnel, signal));
  if ('failure' in released) return refused(deps, tunnel, released.failure, signal);
  if (leftover !== undefined && next?.do === 'leaveBehind') deps.record(tunnel, leftBehind(tunnel, spec, leftover));
  if (isManual && removal.mayHavePlaced) deps.record(tunnel, manifestStays(tunnel, spec));
  return {};
}

/** What the hub does not let us do with the tunnel's own objects is a Failure, for Ready. */
async function attempt<T>(
  { client, namespace }: FinalizeDeps,
  { metadata: { name } }: ClusterTunnel,
  run: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly failure: Failure }> {
  try {
    return { value: await run() };
  } catch (error) {
    const what = `remove Secret ${namespace}/${keysName(name)} and the finalizer`;
    const doing = { step: 'credentials', what, server: client.server, isRemote: false, namespace: undefined } as const;
    return { failure: failureOf(error, doing) };
  }
}

async function refused(
  deps: FinalizeDeps,
  tunnel: ClusterTunnel,
  failure: Failure,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  await tell(deps, tunnel, refusedVerdict(failure), signal);
  return { retryWithinMs: retryWithinMs(failure) };
}

/** Makes every token of the tunnel invalid. Resolves to whether one was ever issued. */
async function invalidateKeys(
  { client, namespace }: FinalizeDeps,
  { metadata: { name, uid } }: ClusterTunnel,
  signal: AbortSignal,
): Promise<boolean> {
  const owner = { tunnel: name, tunnelUid: uid, namespace };
  const seen = await readAgentKeys(client, owner, signal);
  if (Object.keys(seen.secret?.data ?? {}).length > 0) await writeAgentKeys(client, owner, seen, [], signal);
  return seen.secret !== undefined;
}

function removalOf(deps: FinalizeDeps, tunnel: ClusterTunnel, spec: Spec, hadKeys: boolean): Removal {
  const { name, uid, deletionTimestamp = '' } = tunnel.metadata;
  const nowMs = deps.clock.date().getTime();
  const { liveSessions } = deps.sessions(name);
  const base = { name, nowMs, liveSessions, deletedAtMs: Date.parse(deletionTimestamp), drainMs: drainMsOf(spec) };
  const known = deps.removingSince.get(name);
  const since = known?.uid === uid ? known : { uid, sinceMs: nowMs };
  if (drainsUntilMs(base) === undefined) deps.removingSince.set(name, since);
  return {
    ...base,
    triedSinceMs: since.sinceMs,
    remoteTimeoutMs: deps.remoteRemovalTimeoutMs,
    isAbandoned: isAbandoned(tunnel),
    isRemote: spec.agent.placement === 'Kubeconfig',
    mayHavePlaced: hadKeys || tunnel.status?.agent !== undefined,
  };
}

async function waitFor(
  deps: FinalizeDeps,
  tunnel: ClusterTunnel,
  removal: Removal,
  failure: Failure,
  giveUpAtMs: number | undefined,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  await tell(deps, tunnel, failedVerdict(removal, failure, giveUpAtMs), signal);
  return {
    retryWithinMs: retryWithinMs(failure),
    ...(giveUpAtMs === undefined ? {} : { requeueAfterMs: giveUpAtMs - removal.nowMs }),
  };
}

/** The last of the tunnel at the hub. */
async function release(deps: FinalizeDeps, tunnel: ClusterTunnel, signal: AbortSignal): Promise<void> {
  const { client, namespace, log } = deps;
  const { name } = tunnel.metadata;
  await client.delete(RESOURCES.secret, { namespace, name: keysName(name) }, signal);
  await removeFinalizer(client, tunnel, signal);
  log.info('tunnel removed', { tunnel: name });
}

async function tell(
  deps: FinalizeDeps,
  tunnel: ClusterTunnel,
  ready: Parameters<typeof removalStatus>[1],
  signal: AbortSignal,
): Promise<void> {
  const sessions = deps.sessions(tunnel.metadata.name);
  await report(deps, tunnel, removalStatus(tunnel, ready, sessions, deps.clock.date()), signal);
}

function leftBehind(
  { metadata: { name } }: ClusterTunnel,
  { agent }: Spec,
  { failure, objects, server }: Leftover,
): Pick<KubeEvent, 'type' | 'reason' | 'note'> {
  const where = server ?? 'the remote cluster';
  const note = `May be left at ${where}: ${objects.join(', ')}. Remove there: ${removalCommands(name, agent.namespace)}. Not removed because: ${failure.message}`;
  return { type: 'Warning', reason: 'RemoteLeftBehind', note };
}

function manifestStays(
  { metadata: { name } }: ClusterTunnel,
  { agent }: Spec,
): Pick<KubeEvent, 'type' | 'reason' | 'note'> {
  const note = `What the manifest made stays at the target, without a valid token. Remove it there: ${removalCommands(name, agent.namespace)}`;
  return { type: 'Normal', reason: 'ManifestLeftBehind', note };
}
