import type { Span } from './fairness.ts';
import type { Attempt } from './history.ts';

/** The attempts that began and ended while the tunnel was whole. Pure. */
export function inside(attempts: readonly Attempt[], spans: readonly Span[]): Attempt[] {
  return attempts.filter(({ startedMs, endedMs }) =>
    spans.some(({ fromMs, toMs }) => startedMs >= fromMs && endedMs < toMs),
  );
}
