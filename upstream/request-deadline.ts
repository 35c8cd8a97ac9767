import type { RequestHead } from '../tunnel/wire/head.ts';

/**
 * How long a request may run here, in ms: what the gateway left of the client's time, but no more than an ordinary request
 * may take. undefined: as long as it likes.
 */
export function requestDeadline({ deadlineMs, isLongRunning }: RequestHead, requestMs: number): number | undefined {
  if (isLongRunning) return deadlineMs === 0 ? undefined : deadlineMs;
  return deadlineMs === 0 ? requestMs : Math.min(deadlineMs, requestMs);
}
