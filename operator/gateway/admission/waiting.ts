import type { Clock } from '../../../process/clock.ts';
import { FairLines, type Standing } from './fair-lines.ts';

/** A request that waits for its turn. */
export interface Waiter {
  /** Whose request it is: users take turns. */
  readonly user: string;
  /** Takes its turn; false when there is still no room for it. */
  readonly take: () => boolean;
  /** When it gives up, in monotonic ms; read again whenever the tunnel comes or goes. */
  readonly dueMs: () => number;
  /** It gave up. */
  readonly expire: () => void;
  /** The room is full, and somebody needs the place whose line is much shorter. */
  readonly giveWay: () => void;
  /** It does not wait any more, whatever became of it. Once, if it had a place. */
  readonly onLeft?: (waitedMs: number) => void;
}

interface Place {
  readonly waiter: Waiter;
  standing: Standing<Place> | undefined;
  readonly sinceMs: number;
  dueMs: number;
  cancelTimer: () => void;
}

/**
 * Users take turns, each with his first request first; bounded in number and by each waiter's own deadline. Who comes to a
 * full room takes the place of the newest request of the longest line, unless his own line would be as long then.
 */
export class WaitingRoom {
  readonly #clock: Clock;
  readonly #maxWaiting: () => number;
  readonly #places = new FairLines<Place>();

  /** `maxWaiting` is read whenever somebody comes. When it shrinks, those who wait may stay. */
  constructor(clock: Clock, maxWaiting: () => number) {
    this.#clock = clock;
    this.#maxWaiting = maxWaiting;
  }

  get size(): number {
    return this.#places.size;
  }

  /** Takes a place; the returned function leaves it (the client went away). undefined: the room is full. */
  enter(waiter: Waiter): (() => void) | undefined {
    const max = this.#maxWaiting();
    if (this.#places.size >= max && (max <= 0 || !this.#makeRoom(waiter.user))) return undefined;
    const place: Place = {
      waiter,
      standing: undefined,
      sinceMs: this.#clock.nowMs(),
      dueMs: Number.NaN,
      cancelTimer: () => {},
    };
    place.standing = this.#places.add(waiter.user, place);
    this.#arm(place);
    return () => this.#leave(place);
  }

  /** Room may have come free: serves waiters in turn until one cannot be served. */
  wake(): void {
    for (let place = this.#places.next(); place !== undefined; place = this.#places.next()) {
      if (!place.waiter.take()) return;
      place.cancelTimer();
      if (place.standing !== undefined && this.#places.serve(place.standing)) this.#left(place);
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

  /** False: nobody of a longer line waits. */
  #makeRoom(user: string): boolean {
    if (this.#places.lengthOf(user) + 1 >= this.#places.longest) return false;
    const place = this.#places.newestOfLongest();
    if (place === undefined) return false;
    this.#leave(place);
    place.waiter.giveWay();
    return true;
  }

  #arm(place: Place): void {
    const dueMs = place.waiter.dueMs();
    if (dueMs === place.dueMs) return;
    place.dueMs = dueMs;
    place.cancelTimer();
    place.cancelTimer = this.#clock.after(dueMs - this.#clock.nowMs(), () => this.#expire(place));
  }

  #leave(place: Place): void {
    place.cancelTimer();
    if (place.standing !== undefined && this.#places.remove(place.standing)) this.#left(place);
  }

  #left({ waiter, sinceMs }: Place): void {
    waiter.onLeft?.(this.#clock.nowMs() - sinceMs);
  }

  #expire(place: Place): void {
    this.#leave(place);
    place.waiter.expire();
  }
}
