import type { Clock } from '../../../process/clock.ts';

const REVIEW_TIMEOUT_MS = 5_000;

/** The hub's answer; rejects when it takes longer than a client should wait, even if `ask` does not heed its signal. */
export async function withinLimit<Answer>(
  clock: Clock,
  ask: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const abort = new AbortController();
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(REVIEW_TIMEOUT_MS, () => {
      const error = new Error(`no answer within ${REVIEW_TIMEOUT_MS} ms`);
      abort.abort(error);
      reject(error);
    });
  });
  try {
    return await Promise.race([ask(abort.signal), late]);
  } finally {
    cancel();
  }
}
