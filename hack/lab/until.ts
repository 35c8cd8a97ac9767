import { pause } from './pause.ts';

const LOOK_EVERY_MS = 100;

/**
 * The first result of `look` that is not undefined: for what another process does and cannot announce.
 * @throws Error that says what did not happen in time
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 30_000,
): Promise<T> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadlineMs) throw new Error(`${what} did not happen within ${timeoutMs / 1000} s`);
    await pause(LOOK_EVERY_MS);
  }
}
