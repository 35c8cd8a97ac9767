import type { Clock } from '../../../process/clock.ts';
import { TunnelError } from './tunnel-error.ts';

/** From a question's arrival to the hub's answer, its turn included: no client should wait longer. */
const REVIEW_TIMEOUT_MS = 5_000;
/** Questions to the hub under way at once: it has others to answer. */
export const MAX_REVIEWS_AT_ONCE = 32;
/** Questions that wait for their turn, whosesoever. At 5 ms a review and 32 at once the last of them waits for 0.2 s. */
const MAX_WAITING = 1_024;
/** Of one asker, waiting or under way: nobody may fill the queue alone. */
const MAX_OF_ONE = 256;

export interface ReviewsOptions {
  readonly clock: Clock;
  /** What waits, as a sentence's beginning: "log-ins". */
  readonly what: string;
}

/** One question that was let in. */
interface Place {
  /** undefined: now. */
  readonly turn: Promise<void> | undefined;
  leave(): void;
}

/** Questions to the hub: so many at once, the others in line, none for longer than its time. */
export class Reviews {
  readonly #options: ReviewsOptions;
  /** In the order they came. */
  readonly #waiting = new Set<() => void>();
  readonly #byAsker = new Map<string, number>();
  #running = 0;

  constructor(options: ReviewsOptions) {
    this.#options = options;
  }

  /** Waiting or under way. */
  get size(): number {
    return this.#running + this.#waiting.size;
  }

  /** The hub's answer. Rejects with a TunnelError when too many wait, else as `review` does or when its time is over. */
  async ask<Answer>(asker: string, review: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const place = this.#enter(asker);
    try {
      return await withinLimit(this.#options.clock, async (signal) => {
        if (place.turn !== undefined) await place.turn;
        signal.throwIfAborted();
        return review(signal);
      });
    } finally {
      place.leave();
    }
  }

  /** @throws TunnelError when there is no room in line. */
  #enter(asker: string): Place {
    const count = this.#byAsker.get(asker) ?? 0;
    if (count >= MAX_OF_ONE || this.#waiting.size >= MAX_WAITING) {
      const howMany = count >= MAX_OF_ONE ? `${count} of the same origin` : `${MAX_WAITING}`;
      throw new TunnelError('queue_full', `${this.#options.what} wait for the hub, ${howMany} of them`);
    }
    this.#byAsker.set(asker, count + 1);
    if (this.#running < MAX_REVIEWS_AT_ONCE) {
      this.#running += 1;
      return { turn: undefined, leave: () => this.#leave(asker, undefined) };
    }
    let start = () => {};
    const turn = new Promise<void>((resolve) => {
      start = resolve;
    });
    this.#waiting.add(start);
    return { turn, leave: () => this.#leave(asker, start) };
  }

  /** Whose turn had not come just goes; another leaves his turn to the next. */
  #leave(asker: string, start: (() => void) | undefined): void {
    const count = (this.#byAsker.get(asker) ?? 1) - 1;
    if (count === 0) this.#byAsker.delete(asker);
    else this.#byAsker.set(asker, count);
    if (start !== undefined && this.#waiting.delete(start)) return;
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** The answer; rejects when it takes longer than its time, even if `ask` does not heed its signal. */
async function withinLimit<Answer>(clock: Clock, ask: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
  const abort = new AbortController();
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(REVIEW_TIMEOUT_MS, () => {
      const error = new Error(`no answer within ${REVIEW_TIMEOUT_MS} ms`);
      abort.abort(error);
      reject(error);
    });
  });
  try {
    return await Promise.race([ask(abort.signal), late]);
  } finally {
    cancel();
  }
}
