/** Resolves after `durationMs`, or as soon as `signal` aborts; it never rejects, so look at the signal afterwards. */
export function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Asks `isSo` until it says yes; false when `timeoutMs` went by first. */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  { timeoutMs, everyMs = 50 }: { timeoutMs: number; everyMs?: number },
): Promise<boolean> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    if (await isSo()) return true;
    if (Date.now() >= deadlineMs) return false;
    await pause(everyMs);
  }
}
