const LOOK_EVERY_MS = 250;

/** What was seen of a session's heartbeat, in ms. */
export interface Pulse {
  readonly beats: number;
  readonly longestGapMs: number;
  readonly worstRttMs: number;
}

/** Watches the round trips that a session measures with PING and PONG: each that comes is another number. */
export class HeartbeatWatch {
  readonly #read: () => Promise<number | undefined>;
  readonly #timer: NodeJS.Timeout;
  #last: number | undefined;
  #lastMs = performance.now();
  #beats = 0;
  #longestGapMs = 0;
  #worstRttMs = 0;
  #isLooking = false;

  /** `read`: of the last PONG, in ms; undefined before the first. */
  constructor(read: () => Promise<number | undefined>) {
    this.#read = read;
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
  }

  stop(): Pulse {
    clearInterval(this.#timer);
    this.#noteGap();
    return { beats: this.#beats, longestGapMs: this.#longestGapMs, worstRttMs: this.#worstRttMs };
  }

  /** Never rejects: a look that fails is a look without news. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const rttMs = await this.#read().catch(() => undefined);
    this.#isLooking = false;
    if (rttMs === undefined || rttMs === this.#last) return;
    // The first one seen may be old.
    if (this.#last !== undefined) {
      this.#beats += 1;
      this.#noteGap();
      this.#worstRttMs = Math.max(this.#worstRttMs, rttMs);
    }
    this.#last = rttMs;
    this.#lastMs = performance.now();
  }

  #noteGap(): void {
    this.#longestGapMs = Math.max(this.#longestGapMs, performance.now() - this.#lastMs);
  }
}
