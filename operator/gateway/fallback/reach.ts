/** So many connects that fail in a row are trouble, while a success is known of late: not one of several backends that is dead. */
const FAILURES = 3;
/** So long a success speaks for a target. */
const SUCCESS_COUNTS_MS = 60_000;
/** Trouble is over when a success came and nothing failed for so long. */
const HOLDS_MS = 10_000;

/** Whether a target can be reached, by what requests met there. A value; times are monotonic. */
export interface Reach {
  /** Why it cannot, in words of the last failure; undefined: it can, or nothing is known. */
  readonly trouble: string | undefined;
  /** Since the last success. */
  readonly failures: number;
  readonly succeededMs: number | undefined;
  /** The first success since the last failure. */
  readonly heldSinceMs: number | undefined;
}

/** Nothing is known. */
export const UNASKED: Reach = { trouble: undefined, failures: 0, succeededMs: undefined, heldSinceMs: undefined };

/** After a request that did not get there. */
export function missed(reach: Reach, detail: string, nowMs: number): Reach {
  const failures = reach.failures + 1;
  const { succeededMs } = reach;
  const isDoubtful = succeededMs !== undefined && nowMs - succeededMs < SUCCESS_COUNTS_MS && failures < FAILURES;
  const trouble = reach.trouble === undefined && isDoubtful ? undefined : detail;
  return { ...reach, trouble, failures, heldSinceMs: undefined };
}

/** After one that did. */
export function arrived(reach: Reach, nowMs: number): Reach {
  const { trouble, heldSinceMs = nowMs } = reach;
  return { trouble, failures: 0, succeededMs: nowMs, heldSinceMs };
}

/** As time passes. */
export function settled(reach: Reach, nowMs: number): Reach {
  return settlesInMs(reach, nowMs) === 0 ? { ...reach, trouble: undefined } : reach;
}

/** When trouble will be over, if nothing fails; undefined: there is none, or nothing got there since. */
export function settlesInMs({ trouble, heldSinceMs }: Reach, nowMs: number): number | undefined {
  if (trouble === undefined || heldSinceMs === undefined) return undefined;
  return Math.max(0, heldSinceMs + HOLDS_MS - nowMs);
}
