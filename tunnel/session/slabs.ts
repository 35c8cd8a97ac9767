import { MAX_MESSAGE_BYTES } from '../wire/limits.ts';

/** Small messages share slabs of this size; larger ones take slabs that hold any message. */
const SMALL_BYTES = 32 * 1024;
/** Slabs kept for later, of each size: 1 MiB and 2.3 MiB in all. What is beyond goes to the garbage collector. */
const MAX_KEPT_SMALL = 32;
const MAX_KEPT_LARGE = 16;
/** In tests: whoever still reads what was given back reads this. */
const POISON = 0xdb;

/**
 * Memory for outgoing messages, used again and again: a busy writer would otherwise allocate as many bytes as it sends.
 * A message is given back in its last write callback only, when the system has its bytes.
 */
export class Slabs {
  readonly #small: ArrayBuffer[] = [];
  readonly #large: ArrayBuffer[] = [];
  readonly #isPoisoned: boolean;

  constructor({ isPoisoned = false } = {}) {
    this.#isPoisoned = isPoisoned;
  }

  /** Bytes of slabs that wait for their next use. */
  get keptBytes(): number {
    return this.#small.length * SMALL_BYTES + this.#large.length * MAX_MESSAGE_BYTES;
  }

  /** A buffer of exactly `bytes`, at most MAX_MESSAGE_BYTES, with whatever stood there before. */
  take(bytes: number): Buffer {
    const isSmall = bytes <= SMALL_BYTES;
    const slab =
      (isSmall ? this.#small : this.#large).pop() ?? new ArrayBuffer(isSmall ? SMALL_BYTES : MAX_MESSAGE_BYTES);
    return Buffer.from(slab, 0, bytes);
  }

  /** Nobody reads or writes this buffer any more. It came from take(). */
  give(buffer: Buffer): void {
    const slab = buffer.buffer as ArrayBuffer;
    if (this.#isPoisoned) new Uint8Array(slab).fill(POISON);
    const isSmall = slab.byteLength === SMALL_BYTES;
    const kept = isSmall ? this.#small : this.#large;
    if (kept.length < (isSmall ? MAX_KEPT_SMALL : MAX_KEPT_LARGE)) kept.push(slab);
  }
}

/** Of this process: writers of all sessions take turns with the same slabs. */
export const sharedSlabs = new Slabs();
