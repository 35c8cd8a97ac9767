import { performance } from 'node:perf_hooks';

/** Time as an argument: everything that waits or measures takes a Clock, so tests own the time. */
export interface Clock {
  /** Monotonic milliseconds. Only differences mean anything. */
  nowMs(): number;
  /** Wall-clock time, for what people read. Never used to measure. */
  date(): Date;
  /** Calls `run` once after `delayMs`. The returned function cancels. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

/** Node refuses longer timers and fires at once: anything beyond is clamped. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  date: () => new Date(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(delayMs, LONGEST_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/**
 * Resolves after `delayMs`; rejects with the signal's reason, if there is one, when aborted first.
 * Keeps no listener behind.
 */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
