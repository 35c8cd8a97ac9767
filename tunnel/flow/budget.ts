import { INITIAL_WINDOW_BYTES } from '../wire/limits.ts';

/** Share of the budget that windows may grow into; the rest is kept for admitting streams. */
const GROWTH_SHARE = 0.75;
/** Beside it, so much more may wait to be sent, shared by all streams. */
const SEND_SHARE = 0.25;
const MOST_SEND_BYTES = 64 * 1024;
/** What one system call brings is taken whole, so less would only make more calls. */
const LEAST_SEND_BYTES = 4 * 1024;

/**
 * Bytes this process may hold for its peers: a fixed reserve per admitted stream, and a shared pool in which windows grow.
 * Invariant: reserved + grown <= limit, unless the limit was lowered under running streams.
 */
export class Budget {
  #limitBytes: number;
  #streams = 0;
  #grownBytes = 0;
  /** Told when there is more room to admit streams than before. */
  onFreed: () => void = () => {};

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Reserves and growth, in bytes. */
  get usedBytes(): number {
    return this.#streams * INITIAL_WINDOW_BYTES + this.#grownBytes;
  }

  /** Growth alone, in bytes. */
  get grownBytes(): number {
    return this.#grownBytes;
  }

  /** What windows may still grow by, all together. */
  get growthLeftBytes(): number {
    return this.#limitBytes * GROWTH_SHARE - this.#grownBytes;
  }

  /** Whether one more stream can be admitted. */
  get hasReserve(): boolean {
    return this.usedBytes + INITIAL_WINDOW_BYTES <= this.#limitBytes;
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  /**
   * Bytes of one stream that may wait for its peer's credit before its source is asked to pause. Falls as streams come, so that a thousand
   * stalled readers hold what a hundred do. A source may exceed it by the one chunk that it had in hand.
   */
  get sendBytesPerStream(): number {
    const share = (this.#limitBytes * SEND_SHARE) / Math.max(1, this.#streams);
    return Math.min(MOST_SEND_BYTES, Math.max(LEAST_SEND_BYTES, share));
  }

  /** New limit, live. Shrinking takes nothing from running streams: it stops growth and admission. */
  set limitBytes(bytes: number) {
    this.#limitBytes = bytes;
  }

  /** Admits one stream. False: no reserve is left. */
  reserve(): boolean {
    if (this.usedBytes + INITIAL_WINDOW_BYTES > this.#limitBytes) return false;
    this.#streams += 1;
    return true;
  }

  /** Gives back the reserve of one stream and what its window had grown by. */
  release(grownBytes: number): void {
    if (this.#streams === 0 || grownBytes > this.#grownBytes) throw new RangeError('released more than was taken');
    this.#streams -= 1;
    this.#grownBytes -= grownBytes;
    this.onFreed();
  }

  /**
   * Takes memory of a fixed size, out of what is kept for admitting streams as well; `shrink` gives it back. All of it or,
   * when there is not so much left, nothing: false.
   */
  take(bytes: number): boolean {
    if (this.usedBytes + bytes > this.#limitBytes) return false;
    this.#grownBytes += bytes;
    return true;
  }

  /** Takes back growth that a window no longer needs. */
  shrink(bytes: number): void {
    if (bytes > this.#grownBytes) throw new RangeError('gave back more than had grown');
    this.#grownBytes -= bytes;
    this.onFreed();
  }

  /** Lets a window grow by at most `wantedBytes`; returns how much, 0 when the pool is empty. */
  grow(wantedBytes: number): number {
    const granted = Math.max(0, Math.min(wantedBytes, this.growthLeftBytes, this.#limitBytes - this.usedBytes));
    this.#grownBytes += Math.floor(granted);
    return Math.floor(granted);
  }
}
