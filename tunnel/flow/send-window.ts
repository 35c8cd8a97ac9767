import { INITIAL_WINDOW_BYTES, MAX_WINDOW_BYTES } from '../wire/limits.ts';

/** Credit the peer gave us for one stream. */
export class SendWindow {
  #availableBytes = INITIAL_WINDOW_BYTES;

  get availableBytes(): number {
    return this.#availableBytes;
  }

  /** Spends credit. Taking more than there is, is our own bug. */
  take(bytes: number): void {
    if (bytes > this.#availableBytes) throw new RangeError(`took ${bytes} bytes of ${this.#availableBytes}`);
    this.#availableBytes -= bytes;
  }

  /** Adds credit. False when the window would pass 2^31-1: the peer's flow-control error. */
  grant(bytes: number): boolean {
    if (this.#availableBytes + bytes > MAX_WINDOW_BYTES) return false;
    this.#availableBytes += bytes;
    return true;
  }
}
