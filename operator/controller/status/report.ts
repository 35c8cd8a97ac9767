import type { ClusterTunnel, Condition, Status } from '../../../crds/types.ts';
import { applyStatus } from '../../kube/apply.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeEvent } from '../../kube/events.ts';
import { changedConditions, turnedTo } from './merge-conditions.ts';
import { areFlapping } from './pace.ts';
import { Reason } from './reasons.ts';
import { isSameStatus } from './status.ts';

/** Worth a warning whatever the status. */
const WARNINGS: readonly string[] = [Reason.LowDisk, Reason.Flapping];
/** What comes and goes with a connection. */
const OF_CONNECTION: readonly string[] = ['Ready', 'AgentAvailable', 'Connected', 'UpstreamHealthy'];

export interface ReportDeps {
  /** Of the hub. */
  readonly client: KubeClient;
  /** Records an Event about the tunnel, and makes nobody wait. */
  readonly record: (tunnel: ClusterTunnel, event: Pick<KubeEvent, 'type' | 'reason' | 'note'>) => void;
}

/**
 * Writes the status if it says anything else than before, with one Event per condition that changed, or has a warning now. What
 * comes and goes with a flapping connection has none.
 */
export async function report(deps: ReportDeps, tunnel: ClusterTunnel, status: Status, signal: AbortSignal) {
  const previous = tunnel.status;
  if (isSameStatus(previous, status)) return;
  await applyStatus(deps.client, tunnel.metadata, status, signal);
  const [before, now] = [previous?.conditions ?? [], status.conditions ?? []];
  const isFlapping = areFlapping(previous, status);
  for (const condition of [...changedConditions(before, now), ...turnedTo(WARNINGS, before, now)]) {
    if (isFlapping && OF_CONNECTION.includes(condition.type)) continue;
    deps.record(tunnel, eventOf(condition));
  }
}

/** Warning when it turned False, or warns. */
function eventOf({ type, status, reason, message }: Condition): Pick<KubeEvent, 'type' | 'reason' | 'note'> {
  const isWarning = status === 'False' || WARNINGS.includes(reason);
  return { type: isWarning ? 'Warning' : 'Normal', reason, note: `${type} is ${status}: ${message}` };
}
