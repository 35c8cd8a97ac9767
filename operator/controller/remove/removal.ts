import type { ClusterTunnel, Spec, SpecInput, Status } from '../../../crds/types.ts';
import { measured, validateSpec } from '../../../crds/validate.ts';
import { ABANDON_REMOTE_ANNOTATION } from '../names.ts';
import { endingSessions } from '../status/checks.ts';
import type { Failure } from '../status/failure.ts';
import { type ConditionVerdict, mergeConditions } from '../status/merge-conditions.ts';
import type { SessionFacts } from '../status/observe.ts';
import { Reason } from '../status/reasons.ts';

/** Everything that the next step of a deletion is decided from. Times are of the wall clock, in milliseconds. */
export interface Removal {
  readonly name: string;
  readonly deletedAtMs: number;
  readonly nowMs: number;
  /** How long running requests may go on. */
  readonly drainMs: number;
  readonly liveSessions: number;
  /** How long a remote cluster that does not answer is waited for. */
  readonly remoteTimeoutMs: number;
  /** The first attempt that this process made. */
  readonly triedSinceMs: number;
  /** The user waits for no remote cluster. */
  readonly isAbandoned: boolean;
  /** The agent stands in another cluster than the hub's. */
  readonly isRemote: boolean;
  /** A token was issued or an agent seen: something of ours may be there. */
  readonly mayHavePlaced: boolean;
}

/** A process tries for so long before it gives a cluster up, however late it came. */
const LEAST_TRYING_MS = 30_000;

/** What a deletion does about an agent that could not be removed. */
export type Giving =
  | { readonly do: 'forget' }
  | { readonly do: 'leaveBehind' }
  | { readonly do: 'retry'; readonly giveUpAtMs: number | undefined };

/** Until when running requests are waited for; undefined: no longer, or there is no session. */
export function drainsUntilMs({
  liveSessions,
  deletedAtMs,
  drainMs,
  nowMs,
}: Pick<Removal, 'liveSessions' | 'deletedAtMs' | 'drainMs' | 'nowMs'>): number | undefined {
  const untilMs = deletedAtMs + drainMs;
  return liveSessions > 0 && nowMs < untilMs ? untilMs : undefined;
}

/** What to do when the agent's objects could not be removed. The hub's own cluster is never given up: it will answer. */
export function afterFailure(removal: Removal): Giving {
  const { isRemote, mayHavePlaced, isAbandoned, nowMs } = removal;
  if (!isRemote) return { do: 'retry', giveUpAtMs: undefined };
  if (!mayHavePlaced) return { do: 'forget' };
  const giveUpAtMs = giveUpTimeMs(removal);
  return isAbandoned || nowMs >= giveUpAtMs ? { do: 'leaveBehind' } : { do: 'retry', giveUpAtMs };
}

/** Whether the annotation says that no remote cluster is waited for. */
export function isAbandoned({ metadata }: ClusterTunnel): boolean {
  return metadata.annotations?.[ABANDON_REMOTE_ANNOTATION] === 'true';
}

/** Ready while requests end. */
export function drainingVerdict({ liveSessions }: Removal, untilMs: number): ReadyVerdict {
  const message = `${endingSessions(liveSessions)}, at the latest at ${timeOf(untilMs)}.`;
  return { status: 'False', reason: Reason.Draining, message };
}

/** Ready while the agent cannot be removed. */
export function failedVerdict(
  { name, isRemote }: Removal,
  failure: Failure,
  giveUpAtMs: number | undefined,
): ReadyVerdict {
  if (!isRemote || giveUpAtMs === undefined) return refusedVerdict(failure);
  const hint = `Gives up at ${timeOf(giveUpAtMs)} and leaves the agent there; to give up now: \`kubectl annotate ct ${name} ${ABANDON_REMOTE_ANNOTATION}=true\`.`;
  return { status: 'False', reason: Reason.RemoteUnreachable, message: `${failure.message} ${hint}` };
}

/** Ready while the hub does not let something go. */
export function refusedVerdict({ message }: Failure): ReadyVerdict {
  return { status: 'False', reason: Reason.RemovingAgent, message };
}

export type ReadyVerdict = Pick<ConditionVerdict, 'status' | 'reason' | 'message'>;

/** The status of a tunnel that is being deleted: of its conditions only Ready is still looked after. */
export function removalStatus(tunnel: ClusterTunnel, ready: ReadyVerdict, sessions: SessionFacts, now: Date): Status {
  const { metadata, status: previous } = tunnel;
  const verdict = { type: 'Ready', ...ready, observedGeneration: metadata.generation ?? 0 };
  const lastDisconnect = sessions.lastDisconnect ?? previous?.lastDisconnect;
  return {
    ...previous,
    observedGeneration: metadata.generation ?? 0,
    sessions: sessions.liveSessions,
    gateways: sessions.gateways,
    ...(lastDisconnect === undefined ? {} : { lastDisconnect }),
    conditions: mergeConditions(previous?.conditions ?? [], [verdict], now),
  };
}

/** The spec that a deletion goes by: what is wrong with it elsewhere must not hide where the agent stands. */
export function specForRemoval(input: SpecInput | undefined): Spec {
  const { placement, namespace, kubeconfigSecretRef } = input?.agent ?? {};
  const given = { placement, namespace, kubeconfigSecretRef };
  const agent = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  for (const candidate of [input, { agent }, {}]) {
    const checked = validateSpec(candidate);
    if ('spec' in checked) return checked.spec;
  }
  throw new RangeError('an empty spec is valid');
}

/** Milliseconds of timeouts.drain. */
export function drainMsOf({ timeouts }: Spec): number {
  return measured('duration', timeouts.drain);
}

/** A restart does not begin the wait anew; but nobody is given up after one look. */
function giveUpTimeMs({ triedSinceMs, deletedAtMs, drainMs, remoteTimeoutMs }: Removal): number {
  const overMs = Math.min(triedSinceMs, deletedAtMs + drainMs) + remoteTimeoutMs;
  return Math.max(overMs, triedSinceMs + Math.min(remoteTimeoutMs, LEAST_TRYING_MS));
}

function timeOf(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
