import type { Attempt } from './history.ts';
import { isWrite } from './history.ts';

const MAX_REPEATS = 10;
/** What client-go waits before it repeats a GET whose connection broke. */
const BROKEN_READ_MS = 1_000;

/**
 * After how long client-go repeats an attempt that ended so; undefined: it does not. A 429 or 5xx with a whole number of
 * seconds in Retry-After is repeated whatever the method, a GET also when its connection broke before the head; one that
 * was refused never. Source: client-go rest/with_retry.go.
 */
export function repeatAfterMs(
  attempt: Pick<Attempt, 'attempt' | 'method' | 'end' | 'status' | 'retryAfter'>,
): number | undefined {
  const { attempt: number, end, status, retryAfter } = attempt;
  if (number > MAX_REPEATS) return undefined;
  if (end === 'broken') return isWrite(attempt) ? undefined : BROKEN_READ_MS;
  if (end !== 'whole' || status === undefined || retryAfter === undefined) return undefined;
  const isAsked = (status === 429 || status >= 500) && /^\d+$/.test(retryAfter);
  return isAsked ? Number(retryAfter) * 1_000 : undefined;
}
