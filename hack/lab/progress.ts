/** Takes one sentence about what is going on. */
export type Progress = (sentence: string) => void;

export const silent: Progress = () => {};

/** Nothing is said about work that is done sooner. */
const PATIENCE_MS = 3_000;

/** After three seconds, then as often as a person wants to hear it: each quarter more, at least every 15 s. */
const MAX_SILENCE_MS = 15_000;

/**
 * `work`'s result; while it takes long, `what` is told now and then with the time it has taken.
 * `what` is a function where the sentence changes as the work goes on.
 */
export async function reportIfSlow<T>(progress: Progress, what: string | (() => string), work: Promise<T>): Promise<T> {
  const startedMs = Date.now();
  const speak = (): void => {
    const tookMs = Date.now() - startedMs;
    progress(`${typeof what === 'string' ? what : what()} (${elapsed(tookMs)})`);
    timer = setTimeout(speak, Math.min(Math.max(tookMs / 4, PATIENCE_MS), MAX_SILENCE_MS));
  };
  let timer = setTimeout(speak, PATIENCE_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** 7 s, 2 min 05 s. */
export function elapsed(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}
