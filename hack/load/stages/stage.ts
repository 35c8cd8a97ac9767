import { until } from '../../lab/until.ts';
import type { Operation } from '../client/draw.ts';
import type { Attempt, Execution } from '../history.ts';
import type { HoldingRelay } from '../holding-relay.ts';
import type { Rig } from '../rig.ts';
import type { Worker } from '../worker.ts';
import type { AskersMethods } from '../workers/askers.ts';

/** To come to a stage. */
const REACHED_MS = 10_000;
/** Between the end of a request at one hop and the moment when every other hop knows. */
const HEARD_MS = 5_000;

export interface Place {
  readonly rig: Rig;
  readonly askers: Worker<AskersMethods>;
  /** Before the upstream. */
  readonly relay: HoldingRelay;
  /** Ids begin with it. */
  readonly prefix: string;
}

/** Requests that are brought to one stage and end there. */
export class Stage {
  readonly #place: Place;
  #begun = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  get rig(): Rig {
    return this.#place.rig;
  }

  get relay(): HoldingRelay {
    return this.#place.relay;
  }

  /** @returns its id */
  async begin(operation: Operation, how: 'begin' | 'upgrade' = 'begin'): Promise<string> {
    this.#begun += 1;
    const name = `${this.#place.prefix}-${this.#begun}`;
    await this.#place.askers.call(how, { name, user: 'asker', operation });
    return name;
  }

  leave(id: string): Promise<void> {
    return this.#place.askers.call('leave', id);
  }

  /** What its client saw, once it is over. */
  async outcome(id: string): Promise<Attempt> {
    const attempt = await this.#place.askers.call('outcome', id, 60_000);
    if (attempt === undefined) throw new Error(`${id} never began`);
    return attempt;
  }

  /** Resolves when the upstream has it. */
  began(id: string): Promise<Execution> {
    return until(`${id} at the target`, () => this.#execution(id), REACHED_MS);
  }

  /** Resolves when the answer has begun. */
  async answered(id: string): Promise<void> {
    const hasHead = () => this.#place.askers.call('hasHead', id);
    await until(`an answer to ${id}`, async () => ((await hasHead()) ? true : undefined), REACHED_MS);
  }

  /** Resolves when the gateway holds a request that waits. */
  async queued(): Promise<void> {
    const isThere = async () => ((await this.rig.counts()).waiting > 0 ? true : undefined);
    await until('a request that waits', isThere, REACHED_MS);
  }

  /** Resolves when the agent has a request at a worker. */
  async running(): Promise<void> {
    const isThere = async () => ((await this.rig.agent.state()).running.ordinary > 0 ? true : undefined);
    await until('a request at a worker', isThere, REACHED_MS);
  }

  /** Resolves when the upstream knows that it is over, before its answer was. */
  async aborted(id: string): Promise<void> {
    const ended = async () => {
      const execution = await this.#execution(id);
      return execution?.endedMs === undefined ? undefined : execution;
    };
    const { isWhole } = await until(`the target to hear that ${id} is over`, ended, HEARD_MS);
    if (isWhole) throw new Error(`the target answered ${id} to the end`);
  }

  async neverBegan(id: string): Promise<void> {
    if ((await this.#execution(id)) !== undefined) throw new Error(`the target saw ${id}`);
  }

  /** Resolves when nothing of any request is left at gateway and agent. */
  async nothingLeft(): Promise<void> {
    let left: string[] = [];
    const isQuiet = async () => {
      left = await this.rig.leftovers();
      return left.length === 0 || undefined;
    };
    await until('nothing left', isQuiet, HEARD_MS).catch((error: Error) => {
      throw new Error(`${error.message}: ${left.join(', ')}`);
    });
  }

  async #execution(id: string): Promise<Execution | undefined> {
    return (await this.rig.executions()).find((execution) => execution.id === id);
  }
}

/** One kind of end at one stage. Rejects in words when something is not as it should be. */
export interface Trial {
  readonly name: string;
  readonly isHttp1Only?: boolean;
  readonly run: (stage: Stage) => Promise<void>;
}
