import { REPORT_EVERY_MS } from '../../crds/health-report.ts';
import type { ClusterTunnel, Spec, Status } from '../../crds/types.ts';
import { measured, validateSpec } from '../../crds/validate.ts';
import { applyStatus } from '../kube/apply.ts';
import { type FinalizeDeps, finalize, withFinalizer } from './finalize.ts';
import { changedConditions } from './merge-conditions.ts';
import { endpointOf } from './names.ts';
import type { Observation, SessionFacts } from './observe.ts';
import { type PlaceDeps, type Placement, placeLocal } from './place.ts';
import { isSameStatus, statusOf } from './status.ts';

export interface ReconcileDeps extends PlaceDeps, FinalizeDeps {
  readonly find: (name: string) => ClusterTunnel | undefined;
  readonly sessions: (name: string) => SessionFacts;
  /** Whether a token was issued for this very tunnel. */
  readonly hasKey: (tunnel: ClusterTunnel) => boolean;
  /** Called once per condition that changed. */
  readonly announce: (tunnel: ClusterTunnel, condition: ReturnType<typeof changedConditions>[number]) => void;
}

export interface ReconcileResult {
  /** Look again after this long even if nothing happens. */
  readonly requeueAfterMs?: number;
  /** Something was refused; the status says what. Try again, later each time. */
  readonly isFailed?: boolean;
}

/** Two probes of a round may take this long before their report leaves. */
const PROBES_MS = 15_000;
/** Evidence about the API server holds for this many health intervals beyond the agent's own rhythm. */
const EVIDENCE_INTERVALS = 3;
/** Drift that no watch tells of is repaired after at most this long. */
const RESYNC_MS = 600_000;
const NOTHING_PLACED: Placement = { hasKey: false, deployment: undefined, failure: undefined };

/**
 * Makes the world of one tunnel like its spec, and its status like the world. Level-based: whatever happened before,
 * what is seen now decides.
 *
 *   find ─ gone? done ─ deleting? finalize ─ validate ─ finalizer ─ place ─ observe ─ conditions ─ status if changed
 */
export async function reconcile(deps: ReconcileDeps, name: string, signal: AbortSignal): Promise<ReconcileResult> {
  const found = deps.find(name);
  if (found === undefined) {
    deps.placed.forget(name);
    deps.unplaced.delete(name);
    return {};
  }
  if (found.metadata.deletionTimestamp !== undefined) {
    await finalize(deps, found, signal);
    return {};
  }
  const tunnel = await withFinalizer(deps.client, found, signal);
  const checked = validateSpec(tunnel.spec);
  const spec = 'spec' in checked ? checked.spec : undefined;
  const placement = spec === undefined ? NOTHING_PLACED : await place(deps, tunnel, spec, signal);
  const seen = observation(deps, tunnel, spec, 'errors' in checked ? checked.errors : [], placement);
  await report(deps, tunnel, seen, signal);
  return {
    requeueAfterMs: lookAgainAfterMs(seen),
    isFailed: placement.failure !== undefined,
  };
}

/** When something that no event tells of can change what is true. */
function lookAgainAfterMs({ sessions, nowMs, evidenceMaxAgeMs }: Observation): number {
  if (sessions.liveSessions > 0) return evidenceMaxAgeMs;
  const settlingMs = (sessions.settlingUntilMs ?? 0) - nowMs;
  return settlingMs > 0 ? settlingMs : RESYNC_MS;
}

async function place(deps: ReconcileDeps, tunnel: ClusterTunnel, spec: Spec, signal: AbortSignal): Promise<Placement> {
  if (spec.agent.placement === 'Local') return placeLocal(deps, tunnel, spec, signal);
  return { ...NOTHING_PLACED, hasKey: deps.hasKey(tunnel) };
}

function observation(
  deps: ReconcileDeps,
  tunnel: ClusterTunnel,
  spec: Spec | undefined,
  specErrors: readonly string[],
  placement: Placement,
): Observation {
  const { name, generation = 0 } = tunnel.metadata;
  const facts = deps.sessions(name);
  return {
    name,
    generation,
    endpoint: endpointOf(deps.gateway().url, name),
    specErrors,
    spec,
    ...placement,
    sessions: { ...facts, lastDisconnect: facts.lastDisconnect ?? tunnel.status?.lastDisconnect },
    nowMs: deps.clock.nowMs(),
    evidenceMaxAgeMs:
      REPORT_EVERY_MS + PROBES_MS + EVIDENCE_INTERVALS * measured('duration', spec?.health.interval ?? '10s'),
  };
}

async function report(deps: ReconcileDeps, tunnel: ClusterTunnel, seen: Observation, signal: AbortSignal) {
  const previous: Status | undefined = tunnel.status;
  const status = statusOf(seen, previous, deps.clock.date());
  if (isSameStatus(previous, status)) return;
  await applyStatus(deps.client, tunnel.metadata, status, signal);
  for (const condition of changedConditions(previous?.conditions ?? [], status.conditions ?? [])) {
    deps.announce(tunnel, condition);
  }
}
