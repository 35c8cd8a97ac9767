export interface BackoffOptions {
  /** 1 for the first retry. */
  readonly attempt: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** 0 <= random < 1. */
  readonly random: number;
}

/**
 * Full jitter: a uniform delay between 0 and min(maxMs, minMs × 2^(attempt-1)).
 * A thousand clients that lost the same server come back spread over the whole interval.
 * Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
 */
export function fullJitterMs({ attempt, minMs, maxMs, random }: BackoffOptions): number {
  return Math.floor(random * ceilingMs(attempt, minMs, maxMs));
}

/** Exponential growth without jitter, for queues whose keys are already spread. */
export function ceilingMs(attempt: number, minMs: number, maxMs: number): number {
  const doublings = Math.min(Math.max(attempt - 1, 0), 30);
  return Math.min(maxMs, minMs * 2 ** doublings);
}
