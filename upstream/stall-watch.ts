import type { Timer } from '../tunnel/flow/timer.ts';

/** Looks this often within the time that must pass without progress. */
const LOOKS = 4;

export interface StallWatchOptions {
  readonly clock: Timer;
  /** Something waits and nothing moves for this long: a stall. */
  readonly stallMs: number;
  /** Bytes that the peer took so far. */
  readonly movedBytes: () => number;
  /** Whether the peer is waited for. When not, watching ends until the next `arm`. */
  readonly isWaiting: () => boolean;
  /** Called at each look while stalled. */
  readonly onStalled: () => void;
}

/** Notices that a peer who is waited for takes nothing. */
export class StallWatch {
  readonly #options: StallWatchOptions;
  #cancel: (() => void) | undefined;
  #lastBytes = 0;
  #progressMs = 0;

  constructor(options: StallWatchOptions) {
    this.#options = options;
  }

  /** Starts to watch, unless it does already. */
  arm(): void {
    if (this.#cancel !== undefined) return;
    this.#lastBytes = this.#options.movedBytes();
    this.#progressMs = this.#options.clock.nowMs();
    this.#next();
  }

  disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #next(): void {
    const { clock, stallMs } = this.#options;
    this.#cancel = clock.after(Math.ceil(stallMs / LOOKS), () => this.#look());
  }

  #look(): void {
    const { clock, stallMs, movedBytes, isWaiting, onStalled } = this.#options;
    this.#cancel = undefined;
    if (!isWaiting()) return;
    const bytes = movedBytes();
    const nowMs = clock.nowMs();
    if (bytes !== this.#lastBytes) this.#progressMs = nowMs;
    this.#lastBytes = bytes;
    if (nowMs - this.#progressMs >= stallMs) onStalled();
    if (isWaiting()) this.#next();
  }
}
