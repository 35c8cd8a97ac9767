import { turn } from './transport-pair.ts';

/** A test that waits in vain says for what, instead of turning for ever. */
const IN_VAIN_MS = 10_000;

/** Turns the event loop until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + IN_VAIN_MS;
  while (!isSo()) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain for ${isSo}`);
    await turn();
  }
}

/** Some turns of the event loop, for what must not happen. */
export async function turns(count = 50): Promise<void> {
  for (let at = 0; at < count; at++) await turn();
}

/** Resolves when a number has not changed for a while: every buffer is full. */
export async function standstill(read: () => number): Promise<void> {
  for (let before = -1; before !== read(); ) {
    before = read();
    await turns(500);
  }
}
