/** So many in the long run, and so many at once after a quiet time. */
export interface Rate {
  readonly requestsPerSecond: number;
  readonly burst: number;
}

/** Tokens that come at a rate and are kept up to a burst. The rate is the one of now: it may change at any time. */
export class TokenBucket {
  /** undefined: full, however much that is. */
  #tokens: number | undefined;
  #atMs = 0;

  /** Takes one token, if there is one. */
  take(rate: Rate, nowMs: number): boolean {
    const tokens = this.#tokensAt(rate, nowMs);
    const isEnough = tokens >= 1;
    this.#tokens = isEnough ? tokens - 1 : tokens;
    this.#atMs = nowMs;
    return isEnough;
  }

  /** Whether `take` would succeed. */
  has(rate: Rate, nowMs: number): boolean {
    return this.#tokensAt(rate, nowMs) >= 1;
  }

  #tokensAt({ requestsPerSecond, burst }: Rate, nowMs: number): number {
    if (this.#tokens === undefined) return burst;
    return Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1_000) * requestsPerSecond);
  }
}
