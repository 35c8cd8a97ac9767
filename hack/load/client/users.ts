import { setMaxListeners } from 'node:events';
import { type Random, seeded, seedOf } from '../../fuzz/random.ts';
import { pause } from '../../lab/pause.ts';
import type { Asked } from '../asked.ts';
import { type Attempt, isWrite } from '../history.ts';
import { repeatAfterMs } from '../repeat.ts';
import { attempt } from './attempt.ts';
import type { Door, GivenUp } from './call.ts';
import { drawOperation, type Operation, WATCH } from './draw.ts';

/** Watches are left after so long, at most. */
const WATCH_MS = 6_000;
const THINK_MS = 30;
/** One of so many requests is left, at most so long after it began. */
const LEFT_OF = 30;
const LEFT_MS = 400;
const REFUSED_MS = 100;
/** Requests that wait until they may be repeated; what comes more is not repeated, least of all reads. */
const MAX_PARKED = 40;
const MAX_PARKED_READS = 8;

export interface UsersOptions {
  /** Of one tunnel: https://host:port/clusters/name. */
  readonly door: Door;
  readonly tunnel: string;
  readonly count: number;
  readonly seed: number;
  readonly record: (attempt: Attempt) => void;
}

/** Users of one tunnel over one protocol: each asks for one thing after the other, and repeats as client-go would. */
export class Users {
  readonly #options: UsersOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #watches = new Set<AbortController>();
  #parked = 0;
  #sent = 0;

  constructor(options: UsersOptions) {
    this.#options = options;
    // Whatever waits to be repeated listens.
    setMaxListeners(2 * MAX_PARKED, this.#stopping.signal);
  }

  start(): void {
    const { count, seed } = this.#options;
    for (let at = 0; at < count; at++) this.#run(this.#use(seeded(seedOf(seed, at)), at));
    this.#run(this.#watch(seeded(seedOf(seed, count))));
  }

  /** Nothing new is asked or repeated; watches are left. Resolves when every answer has come. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const watch of this.#watches) watch.abort('left' satisfies GivenUp);
    await Promise.all(this.#running);
    this.#options.door.close();
  }

  #run(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #use(random: Random, at: number): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const operation = drawOperation(random);
      const first = this.#asked(operation, at);
      const leavingMs = random(LEFT_OF) === 0 ? random(LEFT_MS) : undefined;
      const attempt = await this.#attempt(operation, first, leavingAfter(leavingMs));
      const delayMs = repeatAfterMs(attempt);
      if (delayMs !== undefined) this.#run(this.#repeat(operation, first, delayMs));
      await pause(attempt.status === undefined ? REFUSED_MS : random(THINK_MS));
    }
  }

  async #watch(random: Random): Promise<void> {
    const at = this.#options.count;
    while (!this.#stopping.signal.aborted) {
      const leaving = leavingAfter(WATCH_MS / 4 + random(WATCH_MS));
      this.#watches.add(leaving);
      const { end } = await this.#attempt(WATCH, this.#asked(WATCH, at), leaving);
      this.#watches.delete(leaving);
      await pause(end === 'left' ? THINK_MS : REFUSED_MS);
    }
  }

  /** Until the answer is one that nobody repeats. */
  async #repeat(operation: Operation, first: Asked, firstDelayMs: number): Promise<void> {
    let delayMs: number | undefined = firstDelayMs;
    const most = isWrite(operation) ? MAX_PARKED : MAX_PARKED_READS;
    for (let number = 2; delayMs !== undefined && this.#parked < most; number++) {
      this.#parked += 1;
      await pause(delayMs, this.#stopping.signal);
      this.#parked -= 1;
      if (this.#stopping.signal.aborted) return;
      delayMs = repeatAfterMs(await this.#attempt(operation, { ...first, attempt: number }, new AbortController()));
    }
  }

  #asked({ holdMs, requestBytes, answerBytes, isUnsized, isWatch }: Operation, at: number): Asked {
    const { tunnel, door } = this.#options;
    this.#sent += 1;
    const user = `${door.protocol === 'h2' ? 'h2' : 'h1'}-${tunnel}-${at}`;
    const shape = { holdMs, requestBytes, answerBytes, isUnsized, dripMs: 0, isWatch };
    return { id: `${user}-${this.#sent}`, attempt: 1, tunnel, user, ...shape };
  }

  #attempt(operation: Operation, asked: Asked, givingUp: AbortController): Promise<Attempt> {
    return attempt(this.#options, { operation, asked, givingUp });
  }
}

/** Gives up after so long; undefined: not by itself. */
function leavingAfter(leavingMs: number | undefined): AbortController {
  const leaving = new AbortController();
  if (leavingMs !== undefined) setTimeout(() => leaving.abort('left' satisfies GivenUp), leavingMs);
  return leaving;
}
