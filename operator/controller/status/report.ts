import type { ClusterTunnel, Condition, Status } from '../../../crds/types.ts';
import { applyStatus } from '../../kube/apply.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeEvent } from '../../kube/events.ts';
import { changedConditions } from './merge-conditions.ts';
import { isSameStatus } from './status.ts';

export interface ReportDeps {
  /** Of the hub. */
  readonly client: KubeClient;
  /** Records an Event about the tunnel, and makes nobody wait. */
  readonly record: (tunnel: ClusterTunnel, event: Pick<KubeEvent, 'type' | 'reason' | 'note'>) => void;
}

/** Writes the status if it says anything else than before, with one Event per condition that changed. */
export async function report(deps: ReportDeps, tunnel: ClusterTunnel, status: Status, signal: AbortSignal) {
  const previous = tunnel.status;
  if (isSameStatus(previous, status)) return;
  await applyStatus(deps.client, tunnel.metadata, status, signal);
  for (const condition of changedConditions(previous?.conditions ?? [], status.conditions ?? [])) {
    deps.record(tunnel, eventOf(condition));
  }
}

/** Warning when it turned False. */
function eventOf({ type, status, reason, message }: Condition): Pick<KubeEvent, 'type' | 'reason' | 'note'> {
  return { type: status === 'False' ? 'Warning' : 'Normal', reason, note: `${type} is ${status}: ${message}` };
}
