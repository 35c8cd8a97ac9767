import type { FailureReason } from './status/failure.ts';
import { Reason } from './status/reasons.ts';

/** What the work queue does with a tunnel next. */
export interface ReconcileResult {
  /** Look again after this long even if nothing happens. */
  readonly requeueAfterMs?: number;
  /** Something could not be done; the status says what. Tried again, later each time, at most this much later. */
  readonly retryWithinMs?: number;
}

/** What passes by itself, and nobody may tell us of: a few seconds after it passed all shall be well. */
const RETRY_PASSING_MS = 10_000;
/** What somebody must change. */
const RETRY_REFUSED_MS = 60_000;

const PASSING: readonly FailureReason[] = [Reason.ClusterUnreachable, Reason.NamespaceTerminating];

/** The longest pause between two attempts after this failure. */
export function retryWithinMs({ reason }: { readonly reason: FailureReason }): number {
  return PASSING.includes(reason) ? RETRY_PASSING_MS : RETRY_REFUSED_MS;
}
