import { REPORT_EVERY_MS } from '../../crds/health-report.ts';
import type { ClusterTunnel, Spec } from '../../crds/types.ts';
import { measured, validateSpec } from '../../crds/validate.ts';
import { endpointOf } from './names.ts';
import { type PlaceDeps, type Placement, place } from './place/place.ts';
import { type ReconcileResult, retryWithinMs } from './reconcile-result.ts';
import { type FinalizeDeps, finalize } from './remove/finalize.ts';
import { withFinalizer } from './remove/finalizer.ts';
import type { Observation } from './status/observe.ts';
import { CALM, type Pace, paced } from './status/pace.ts';
import { report } from './status/report.ts';

/** What a reconcile works with. main.ts and tests get one from createController. */
export interface ReconcileDeps extends PlaceDeps, FinalizeDeps {
  readonly find: (name: string) => ClusterTunnel | undefined;
  /** How often the status of a tunnel was written lately, by name. */
  readonly paces: Map<string, Pace>;
}

/** Two probes of a round may take this long before their report leaves. */
const PROBES_MS = 15_000;
/** Evidence about the API server holds for this many health intervals beyond the agent's own rhythm. */
const EVIDENCE_INTERVALS = 3;
/** Drift that no watch tells of is repaired after at most this long. */
const RESYNC_MS = 600_000;

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
    deps.paces.delete(name);
    deps.removingSince.delete(name);
    return {};
  }
  if (found.metadata.deletionTimestamp !== undefined) return finalize(deps, found, signal);
  const tunnel = await withFinalizer(deps.client, found, signal);
  const checked = validateSpec(tunnel.spec);
  const spec = 'spec' in checked ? checked.spec : undefined;
  const placement = spec === undefined ? nothingPlaced(deps, tunnel) : await place(deps, tunnel, spec, signal);
  const seen = observation(deps, tunnel, spec, 'errors' in checked ? checked.errors : [], placement);
  const againMs = await tell(deps, tunnel, seen, signal);
  return {
    requeueAfterMs: Math.min(lookAgainAfterMs(seen), againMs ?? Number.POSITIVE_INFINITY),
    ...(placement.failure === undefined ? {} : { retryWithinMs: retryWithinMs(placement.failure) }),
  };
}

/** Writes the status, unless it was written too often lately. When to look again because of that. */
async function tell(
  { paces, ...deps }: ReconcileDeps,
  tunnel: ClusterTunnel,
  seen: Observation,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { name } = tunnel.metadata;
  const { status, pace, paceWritten, isDue, againMs } = paced(
    paces.get(name) ?? CALM,
    seen,
    tunnel.status,
    deps.clock.date(),
  );
  paces.set(name, pace);
  if (!isDue) return againMs;
  await report(deps, tunnel, status, signal);
  paces.set(name, paceWritten);
  return againMs;
}

/** What runs goes on while the spec cannot be used. */
function nothingPlaced({ hasKey }: ReconcileDeps, tunnel: ClusterTunnel): Placement {
  return { hasKey: hasKey(tunnel), deployment: undefined, failure: undefined };
}

/** When something that no event tells of can change what is true. */
function lookAgainAfterMs({ sessions, nowMs, evidenceMaxAgeMs }: Observation): number {
  if (sessions.liveSessions > 0) return evidenceMaxAgeMs;
  const settlingMs = (sessions.settlingUntilMs ?? 0) - nowMs;
  return settlingMs > 0 ? settlingMs : RESYNC_MS;
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
