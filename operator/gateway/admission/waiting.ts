import type { Clock } from '../../../process/clock.ts';

/** A request that waits for its turn. */
export interface Waiter {
  /** Takes its turn; false when there is still no room for it. */
  readonly take: () => boolean;
  /** When it gives up, in monotonic ms; read again whenever the tunnel comes or goes. */
  readonly dueMs: () => number;
  /** It gave up. */
  readonly expire: () => void;
}

interface Place {
  readonly waiter: Waiter;
  dueMs: number;
  cancelTimer: () => void;
}

/** First come, first served, bounded in number and by each waiter's own deadline. */
export class WaitingRoom {
  readonly #clock: Clock;
  readonly #maxWaiting: number;
  readonly #places = new Set<Place>();

  constructor(clock: Clock, maxWaiting: number) {
    this.#clock = clock;
    this.#maxWaiting = maxWaiting;
  }

  get size(): number {
    return this.#places.size;
  }

  /** Takes a place; the returned function leaves it (the client went away). undefined: the room is full. */
  enter(waiter: Waiter): (() => void) | undefined {
    if (this.#places.size >= this.#maxWaiting) return undefined;
    const place: Place = { waiter, dueMs: Number.NaN, cancelTimer: () => {} };
    this.#places.add(place);
    this.#arm(place);
    return () => this.#leave(place);
  }

  /** Room may have come free: serves waiters in order until one cannot be served. */
  wake(): void {
    for (const place of this.#places) {
      if (!place.waiter.take()) return;
      this.#leave(place);
    }
  }

  /** Reads every waiter's deadline again. */
  rearm(): void {
    for (const place of this.#places) this.#arm(place);
  }

  /** Everybody gives up now. */
  clear(): void {
    for (const place of [...this.#places]) this.#expire(place);
  }

  #arm(place: Place): void {
    const dueMs = place.waiter.dueMs();
    // Asked at every slot that comes free: mostly nothing has changed.
    if (dueMs === place.dueMs) return;
    place.dueMs = dueMs;
    place.cancelTimer();
    place.cancelTimer = this.#clock.after(dueMs - this.#clock.nowMs(), () => this.#expire(place));
  }

  #leave(place: Place): void {
    place.cancelTimer();
    this.#places.delete(place);
  }

  #expire(place: Place): void {
    this.#leave(place);
    place.waiter.expire();
  }
}
