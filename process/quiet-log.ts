import type { Clock } from './clock.ts';
import type { LogFields, Logger } from './log.ts';

const EVERY_MS = 5_000;

/** Warnings that could come with every request: the first of each message, then at most one in 5 s, with how many were left out. */
export class QuietLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #last = new Map<string, { atMs: number; leftOut: number }>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** `message` is constant: it is what warnings are counted by. */
  warn(message: string, fields: LogFields): void {
    const nowMs = this.#clock.nowMs();
    const last = this.#last.get(message);
    if (last !== undefined && nowMs - last.atMs < EVERY_MS) {
      last.leftOut += 1;
      return;
    }
    this.#log.warn(message, last === undefined ? fields : { ...fields, leftOut: last.leftOut });
    this.#last.set(message, { atMs: nowMs, leftOut: 0 });
  }
}
