/** A stream that can be told to wait. */
interface Paced {
  pause(): unknown;
  resume(): unknown;
}

/** Timers that fire sooner cost more than they are worth. */
const LEAST_PAUSE_MS = 10;

/** How fast a reader takes what comes: whoever is ahead is paused until he is not. */
export class Pace {
  #bytesPerSecond: number;
  #sinceMs = performance.now();
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** 0: takes nothing. Infinite: as fast as it comes. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** From now on; what was taken before does not count. */
  change(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#sinceMs = performance.now();
    this.#bytes = 0;
  }

  took(bytes: number, reader: Paced): void {
    this.#bytes += bytes;
    this.regulate(reader);
  }

  regulate(reader: Paced): void {
    clearTimeout(this.#timer);
    const aheadMs = aheadOf(this.#bytes, this.#bytesPerSecond, performance.now() - this.#sinceMs);
    if (aheadMs <= 0) return void reader.resume();
    reader.pause();
    if (Number.isFinite(aheadMs)) {
      this.#timer = setTimeout(() => this.regulate(reader), Math.max(LEAST_PAUSE_MS, aheadMs));
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** By how many ms somebody is too early who took so many bytes in that time. Pure. */
export function aheadOf(bytes: number, bytesPerSecond: number, tookMs: number): number {
  return bytesPerSecond === 0 ? Number.POSITIVE_INFINITY : (bytes * 1_000) / bytesPerSecond - tookMs;
}
