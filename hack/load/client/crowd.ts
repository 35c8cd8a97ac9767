import { seeded, seedOf } from '../../fuzz/random.ts';
import { pause } from '../../lab/pause.ts';
import type { Asked } from '../asked.ts';
import type { Attempt } from '../history.ts';
import { attempt, type Way } from './attempt.ts';
import { drawOperation, type Operation } from './draw.ts';

/** After an answer that was not the target's: whoever is refused does not ask again at once. */
const REFUSED_MS = 100;

/** One user, and how many requests he has under way at a time. */
export interface Member {
  readonly user: string;
  readonly parallel: number;
}

/** What of a crowd's requests is the same for all. */
export interface Asking {
  readonly tunnel: string;
  /** Of all requests: ids begin with it, so that no two crowds of a run share one. */
  readonly run: string;
}

/** An operation as one request says it of itself. */
export function askedFor(
  { holdMs, requestBytes, answerBytes, isUnsized, isWatch, dripMs = 0 }: Operation,
  { id, tunnel, user }: Pick<Asked, 'id' | 'tunnel' | 'user'>,
): Asked {
  return { id, attempt: 1, tunnel, user, holdMs, requestBytes, answerBytes, isUnsized, dripMs, isWatch };
}

/** Users who each keep as many requests under way as they are told, and repeat none. */
export class Crowd {
  readonly #asking: Asking;
  readonly #wayOf: (user: string) => Way;
  readonly #running: Promise<void>[] = [];
  #isResting = false;
  #sent = 0;

  constructor(asking: Asking, wayOf: (user: string) => Way) {
    this.#asking = asking;
    this.#wayOf = wayOf;
  }

  /** One of these operations after the other, until `rest`. */
  keep(members: readonly Member[], operations: readonly Operation[]): void {
    for (const member of members) {
      for (let at = 0; at < member.parallel; at++) this.#running.push(this.#loop(member.user, operations, at));
    }
  }

  /** Resolves when the last answer has come. */
  async rest(): Promise<void> {
    this.#isResting = true;
    await Promise.all(this.#running);
  }

  /** Each user makes `count` requests at random, `parallel` at a time: with the same seed the same again. */
  async perform(members: readonly Member[], count: number, seed: number): Promise<void> {
    await Promise.all(
      members.map(async ({ user, parallel }, at) => {
        const random = seeded(seedOf(seed, at));
        const operations = Array.from({ length: count }, () => drawOperation(random));
        const one = async () => {
          for (let next = operations.pop(); next !== undefined; next = operations.pop()) await this.#ask(user, next);
        };
        await Promise.all(Array.from({ length: parallel }, one));
      }),
    );
  }

  async #loop(user: string, operations: readonly Operation[], from: number): Promise<void> {
    for (let at = from; !this.#isResting; at++) {
      const operation = operations[at % operations.length];
      if (operation === undefined) return;
      const { answers } = await this.#ask(user, operation);
      if (answers === undefined) await pause(REFUSED_MS);
    }
  }

  #ask(user: string, operation: Operation): Promise<Attempt> {
    const { tunnel, run } = this.#asking;
    this.#sent += 1;
    const asked = askedFor(operation, { id: `${run}-${user}-${this.#sent}`, tunnel, user });
    return attempt(this.#wayOf(user), { operation, asked, givingUp: new AbortController() });
  }
}
