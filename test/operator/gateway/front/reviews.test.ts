import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_REVIEWS_AT_ONCE, Reviews } from '../../../../operator/gateway/front/reviews.ts';
import { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { turns } from '../../../support/turns.ts';

/** More than may run and wait together, each of somebody else. */
const TOO_MANY = 2_000;

describe('operator/gateway/front/reviews', function () {
  this.timeout(15_000);
  let clock: ManualClock;
  let reviews: Reviews;
  let running: { answer: (value: string) => void; signal: AbortSignal }[];
  let most: number;
  beforeEach(() => {
    clock = new ManualClock();
    reviews = new Reviews({ clock, what: 'log-ins' });
    running = [];
    most = 0;
  });
  const ask = (asker: string) =>
    reviews
      .ask(asker, (signal) => new Promise<string>((answer) => running.push({ answer, signal })))
      .catch((error: Error) => (error instanceof TunnelError ? error.kind : error.message));
  const answerAll = async () => {
    while (running.length > 0) {
      most = Math.max(most, running.length);
      running.shift()?.answer('yes');
      await turns(1);
    }
  };

  it('asks so many at once, the others in the order they came', async () => {
    const all = Array.from({ length: 100 }, (_, at) => ask(`a${at}`));
    expect(reviews.size).to.equal(100);
    await turns(1);
    expect(running).to.have.length(MAX_REVIEWS_AT_ONCE);
    await answerAll();
    expect(await Promise.all(all)).to.deep.equal(Array(100).fill('yes'));
    expect({ most, size: reviews.size, timers: clock.pending }).to.deep.equal({ most: 32, size: 0, timers: 0 });
  });

  it('refuses at once what would wait behind too many, and serves again when they are through', async () => {
    const all = Array.from({ length: TOO_MANY }, (_, at) => ask(`a${at}`));
    expect(reviews.size).to.equal(1_024 + 32);
    await answerAll();
    const told = await Promise.all(all);
    expect(told.filter((each) => each === 'yes')).to.have.length(1_024 + 32);
    expect(told.filter((each) => each === 'queue_full')).to.have.length(TOO_MANY - 1_024 - 32);
    const next = ask('b');
    await answerAll();
    expect(await next).to.equal('yes');
  });

  it('lets nobody fill the line alone', async () => {
    const ofOne = Array.from({ length: TOO_MANY }, () => ask('one'));
    const ofAnother = ask('another');
    await answerAll();
    expect((await Promise.all(ofOne)).filter((each) => each === 'yes')).to.have.length(256);
    expect(await ofAnother).to.equal('yes');
  });

  it('counts the time in line: who waited too long is told, and never asked for', async () => {
    const all = Array.from({ length: 40 }, (_, at) => ask(`a${at}`));
    await turns(1);
    clock.advance(5_000);
    expect(await Promise.all(all)).to.deep.equal(Array(40).fill('no answer within 5000 ms'));
    await turns(5);
    expect(running).to.have.length(32);
    expect(running.every(({ signal }) => signal.aborted)).to.equal(true);
    expect({ size: reviews.size, timers: clock.pending }).to.deep.equal({ size: 0, timers: 0 });
  });

  it('property: whatever comes, fails and is late, the bounds hold and nothing stays behind', async () => {
    const [asker, times, passMs] = [fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 300 }), fc.nat(6_000)];
    const step = fc.tuple(asker, times, fc.nat(300), passMs);
    const property = fc.asyncProperty(fc.array(step, { maxLength: 5 }), async (steps) => {
      running = [];
      const all: Promise<unknown>[] = [];
      for (const [who, asks, answers, ms] of steps) {
        all.push(...Array.from({ length: asks }, () => ask(who)));
        for (const { answer } of running.splice(0, answers)) answer('yes');
        await turns(1);
        expect(running.filter(({ signal }) => !signal.aborted).length).to.be.at.most(MAX_REVIEWS_AT_ONCE);
        expect(reviews.size).to.be.at.most(3 * 256);
        clock.advance(ms);
        await turns(1);
      }
      clock.advance(5_000);
      await Promise.all(all);
      expect({ size: reviews.size, timers: clock.pending }).to.deep.equal({ size: 0, timers: 0 });
    });
    await fc.assert(property, { numRuns: 20 });
  });
});
