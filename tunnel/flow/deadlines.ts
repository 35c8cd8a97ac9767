import type { Timer } from './timer.ts';

interface Entry {
  readonly dueMs: number;
  /** Of two that are due together the one that was set first comes first. */
  readonly order: number;
  readonly run: () => void;
  /** Where it stands in the heap; -1 when it is out. */
  at: number;
}

/**
 * All deadlines of one session in one time-ordered heap, behind one timer: a thousand requests, each with its own remaining time,
 * cost one timer, and what was cancelled holds nothing. Itself a Timer, so whoever needs a deadline takes it instead of the clock.
 * Source: binary heap with removal by position, as libuv keeps its own timers.
 */
export class Deadlines implements Timer {
  readonly #clock: Timer;
  readonly #heap: Entry[] = [];
  #order = 0;
  #armedForMs = Number.POSITIVE_INFINITY;
  #isClosed = false;
  #disarm: () => void = () => {};

  constructor(clock: Timer) {
    this.#clock = clock;
  }

  /** Deadlines that have neither passed nor been cancelled. */
  get size(): number {
    return this.#heap.length;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  after(delayMs: number, run: () => void): () => void {
    if (this.#isClosed) return () => {};
    const dueMs = this.#clock.nowMs() + delayMs;
    const entry: Entry = { dueMs, order: this.#order++, run, at: this.#heap.length };
    this.#heap.push(entry);
    this.#rise(entry);
    this.#arm();
    return () => this.#cancel(entry);
  }

  /** Drops all: nothing runs any more, nor what is set later. */
  close(): void {
    this.#isClosed = true;
    for (const entry of this.#heap) entry.at = -1;
    this.#heap.length = 0;
    this.#arm();
  }

  #cancel(entry: Entry): void {
    if (entry.at < 0) return;
    this.#remove(entry);
    this.#arm();
  }

  /** Everything that is due, earliest first; what these add for now runs in the next turn of the timer. */
  #fire(): void {
    this.#armedForMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    try {
      for (let first = this.#heap[0]; first !== undefined && first.dueMs <= nowMs; first = this.#heap[0]) {
        this.#remove(first);
        first.run();
      }
    } finally {
      this.#arm();
    }
  }

  /** One timer, for the earliest. */
  #arm(): void {
    const dueMs = this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
    if (dueMs === this.#armedForMs) return;
    this.#disarm();
    this.#armedForMs = dueMs;
    this.#disarm =
      dueMs === Number.POSITIVE_INFINITY
        ? () => {}
        : this.#clock.after(Math.max(0, dueMs - this.#clock.nowMs()), () => this.#fire());
  }

  #remove(entry: Entry): void {
    const last = this.#heap.pop();
    const { at } = entry;
    entry.at = -1;
    if (last === undefined || last === entry) return;
    this.#heap[at] = last;
    last.at = at;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry): void {
    while (entry.at > 0) {
      const parent = this.#heap[(entry.at - 1) >> 1] as Entry;
      if (isBefore(parent, entry)) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#heap[2 * entry.at + 1];
      const right = this.#heap[2 * entry.at + 2];
      const child = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || isBefore(entry, child)) return;
      this.#swap(entry, child);
    }
  }

  #swap(upper: Entry, lower: Entry): void {
    const { at } = upper;
    upper.at = lower.at;
    lower.at = at;
    this.#heap[upper.at] = upper;
    this.#heap[lower.at] = lower;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
