export interface BackoffLimits {
  /** The delay before the second restart; the first is at once. The kubelet's is 10 s. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** A container that ran this long starts anew: its next restart is at once. */
  readonly resetAfterMs: number;
}

export const KUBELET_BACKOFF: BackoffLimits = { baseMs: 10_000, maxMs: 300_000, resetAfterMs: 600_000 };

/** How long a crashed container waits: not at all, base, twice the base, … up to the maximum. */
export class RestartBackoff {
  readonly #limits: BackoffLimits;
  #nextMs = 0;

  constructor(limits: BackoffLimits = KUBELET_BACKOFF) {
    this.#limits = limits;
  }

  /** The delay before the restart of a container that ran for `ranMs`. */
  delayMs(ranMs: number): number {
    const { baseMs, maxMs, resetAfterMs } = this.#limits;
    if (ranMs >= resetAfterMs) this.#nextMs = 0;
    const delayMs = this.#nextMs;
    this.#nextMs = delayMs === 0 ? baseMs : Math.min(delayMs * 2, maxMs);
    return delayMs;
  }
}
