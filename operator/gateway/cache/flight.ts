import type { Kept } from './kept.ts';

/** Beyond so many, equal requests go to the target themselves. */
const MAX_WAITERS = 256;

/** One that waits for what another request is answered; told once. */
export interface Waiter {
  /** This is the answer. */
  onAnswer(kept: Kept): void;
  /** There is none for others: each asks for itself. */
  onNothing(): void;
  /** The one that asked is gone: ask in its place. */
  onLead(): void;
}

/** Equal requests at the same time: one asks the target, the others wait. */
export class Flight {
  #waiters: Waiter[] = [];
  #isOver = false;

  get isOver(): boolean {
    return this.#isOver;
  }

  /** False: too many wait. */
  join(waiter: Waiter): boolean {
    if (this.#waiters.length >= MAX_WAITERS) return false;
    this.#waiters.push(waiter);
    return true;
  }

  /** It waits no more. */
  quit(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((each) => each !== waiter);
  }

  landed(kept: Kept): void {
    for (const waiter of this.#end()) waiter.onAnswer(kept);
  }

  /** An error, or an answer for one only. */
  failed(): void {
    for (const waiter of this.#end()) waiter.onNothing();
  }

  /** The client of the one that asked went away: who waited longest asks now. False: nobody waits. */
  passOn(): boolean {
    const next = this.#waiters.shift();
    if (next === undefined) this.#isOver = true;
    else next.onLead();
    return next !== undefined;
  }

  #end(): readonly Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#isOver = true;
    return waiters;
  }
}
