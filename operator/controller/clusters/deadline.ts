import type { Clock } from '../../../process/clock.ts';
import { UnreachableError } from '../../kube/errors.ts';

/**
 * Runs calls that shall end in time for somebody to tell how they ended: beyond `limitMs` they fail as if the cluster did
 * not answer.
 */
export async function withDeadline<T>(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const cancel = clock.after(limitMs, () => late.abort(new UnreachableError(`all calls together took ${limitMs} ms`)));
  try {
    return await run(AbortSignal.any([signal, late.signal]));
  } finally {
    cancel();
  }
}
