/** One sample: less says more of single round trips than of the link, or of an event loop that was late and then heard all at once. */
const SAMPLE_BYTES = 512 * 1024;
const SAMPLE_MS = 250;
/** The best samples of this period and of the one before count. */
const PERIOD_MS = 2 * 60_000;
/** No sample for so long: the link may be another one by now. */
const FORGET_AFTER_MS = 10 * 60_000;

/**
 * How fast a link carries answers, measured where they leave: credit that comes back to streams that have more to send, over
 * the time in which at least one such stream waited for it. (How fast the system takes bytes says nothing: its own buffers
 * are as large as windows.) A reader or an upstream who is slower than the link makes samples low, only a reader who catches up
 * makes one high: so it is the best of the last minutes that counts. Source: the max filter of BBR.
 */
export class LinkSpeed {
  /** Of the sample under way. */
  #bytes = 0;
  #ms = 0;
  /** Up to when waiting was counted: several streams wait at once. */
  #countedMs = Number.NEGATIVE_INFINITY;
  #best = 0;
  #bestBefore = 0;
  #periodMs = Number.NEGATIVE_INFINITY;
  #sampledMs = Number.NEGATIVE_INFINITY;

  /** undefined: not measured, or too long ago. */
  bytesPerSecond(nowMs: number): number | undefined {
    if (nowMs - this.#sampledMs > FORGET_AFTER_MS) return undefined;
    return Math.max(this.#best, this.#bestBefore);
  }

  /** A stream that has more to send got credit for `bytes`; the last time it got some was at `sinceMs`. */
  credited(bytes: number, sinceMs: number, nowMs: number): void {
    this.#bytes += bytes;
    this.#ms += Math.max(0, nowMs - Math.max(sinceMs, this.#countedMs));
    this.#countedMs = nowMs;
    if (this.#bytes < SAMPLE_BYTES || this.#ms < SAMPLE_MS) return;
    this.#sample((this.#bytes / this.#ms) * 1_000, nowMs);
    this.#bytes = 0;
    this.#ms = 0;
  }

  #sample(bytesPerSecond: number, nowMs: number): void {
    if (nowMs - this.#sampledMs > FORGET_AFTER_MS) this.#best = 0;
    if (nowMs - this.#periodMs > PERIOD_MS) {
      this.#bestBefore = this.#best;
      this.#best = 0;
      this.#periodMs = nowMs;
    }
    this.#best = Math.max(this.#best, bytesPerSecond);
    this.#sampledMs = nowMs;
  }
}
