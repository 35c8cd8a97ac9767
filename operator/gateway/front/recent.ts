import type { Clock } from '../../../process/clock.ts';

export interface RecentOptions {
  readonly clock: Clock;
  readonly ttlMs: number;
  /** Entries kept; the oldest goes first. */
  readonly maxEntries: number;
}

interface Entry<Value> {
  readonly value: Promise<Value>;
  readonly untilMs: number;
}

/**
 * Answers of the last seconds, by key. One question a key is under way at a time; failures are not kept.
 */
export class Recent<Value> {
  readonly #options: RecentOptions;
  readonly #entries = new Map<string, Entry<Value>>();

  constructor(options: RecentOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is an answer of the last seconds, or one under way. */
  has(key: string): boolean {
    const kept = this.#entries.get(key);
    return kept !== undefined && kept.untilMs > this.#options.clock.nowMs();
  }

  /** The kept answer, the one under way, or a new one from `ask`. */
  get(key: string, ask: () => Promise<Value>): Promise<Value> {
    const { clock, ttlMs, maxEntries } = this.#options;
    const nowMs = clock.nowMs();
    const kept = this.#entries.get(key);
    if (kept !== undefined && kept.untilMs > nowMs) return kept.value;
    this.#entries.delete(key);
    const value = ask();
    const entry = { value, untilMs: nowMs + ttlMs };
    this.#entries.set(key, entry);
    value.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > maxEntries && oldest !== undefined) this.#entries.delete(oldest);
    return value;
  }
}
