import { expect } from 'chai';
import fc from 'fast-check';
import { Workqueue } from '../../../operator/controller/workqueue.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const never = new AbortController().signal;

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

describe('operator/controller/workqueue', () => {
  it('hands out each name once, in order', async () => {
    const queue = new Workqueue(new ManualClock());
    for (const name of ['a', 'b', 'a']) queue.add(name);
    expect(await queue.take(never)).to.equal('a');
    expect(await queue.take(never)).to.equal('b');
    expect(queue.depth).to.equal(0);
  });

  it('brings a name back that was added while it was worked on, and not before', async () => {
    const queue = new Workqueue(new ManualClock());
    queue.add('a');
    await queue.take(never);
    queue.add('a');
    expect(queue.depth).to.equal(0);
    queue.done('a');
    expect(await queue.take(never)).to.equal('a');
  });

  it('wakes a waiting worker', async () => {
    const queue = new Workqueue(new ManualClock());
    const taken = queue.take(never);
    queue.add('a');
    expect(await taken).to.equal('a');
  });

  it('lets waiting workers go when told to stop', async () => {
    const queue = new Workqueue(new ManualClock());
    const stop = new AbortController();
    const taken = queue.take(stop.signal);
    stop.abort();
    expect(await taken).to.equal(undefined);
  });

  it('keeps the earlier of two appointments', async () => {
    const clock = new ManualClock();
    const queue = new Workqueue(clock);
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 5_000);
    queue.addAfter('b', 5_000);
    queue.addAfter('b', 1_000);
    clock.advance(1_000);
    expect(queue.depth).to.equal(2);
    expect(clock.pending).to.equal(0);
  });

  it('waits longer after each failure, from 5 ms to a minute, until the name is well', () => {
    const clock = new ManualClock();
    const queue = new Workqueue(clock);
    const delays: number[] = [];
    for (let failure = 0; failure < 16; failure++) {
      queue.addRateLimited('a');
      let delayMs = 0;
      while (clock.pending > 0) {
        clock.advance(5);
        delayMs += 5;
      }
      delays.push(delayMs);
    }
    expect(delays.slice(0, 4)).to.deep.equal([5, 10, 20, 40]);
    expect(delays.at(-1)).to.equal(60_000);
    queue.forget('a');
    queue.addRateLimited('a');
    clock.advance(5);
    expect(clock.pending).to.equal(0);
  });

  it('cancels appointments when closed', () => {
    const clock = new ManualClock();
    const queue = new Workqueue(clock);
    queue.addAfter('a', 10);
    queue.close();
    expect(clock.pending).to.equal(0);
  });

  it('property: one name is never worked on twice at once, and no add is lost', async () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), name }),
      fc.record({ kind: fc.constant('later' as const), name }),
      fc.record({ kind: fc.constant('take' as const), name }),
      fc.record({ kind: fc.constant('done' as const), name }),
      fc.record({ kind: fc.constant('tick' as const), name }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const model = new Model();
        for (const { kind, name: each } of steps) {
          await model[kind](each);
          await settle();
        }
        expect(await model.owedAtEnd()).to.deep.equal([]);
      }),
    );
  });
});

/** A queue and what is known of it from outside. */
class Model {
  readonly #clock = new ManualClock();
  readonly #queue = new Workqueue(this.#clock);
  readonly #working = new Set<string>();
  /** Added since they were last taken. */
  readonly #owed = new Set<string>();

  add(name: string): void {
    this.#owed.add(name);
    this.#queue.add(name);
  }

  later(name: string): void {
    this.#owed.add(name);
    this.#queue.addAfter(name, 10);
  }

  tick(): void {
    this.#clock.advance(5);
  }

  done(name: string): void {
    if (this.#working.delete(name)) this.#queue.done(name);
  }

  async take(): Promise<void> {
    if (this.#queue.depth === 0) return;
    const name = (await this.#queue.take(never)) ?? 'nothing';
    expect(this.#working.has(name), `${name} twice at once`).to.equal(false);
    this.#working.add(name);
    this.#owed.delete(name);
  }

  async owedAtEnd(): Promise<string[]> {
    this.#clock.advance(10);
    for (const name of [...this.#working]) this.done(name);
    while (this.#queue.depth > 0) await this.take();
    return [...this.#owed];
  }
}
