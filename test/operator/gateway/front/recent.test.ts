import { expect } from 'chai';
import fc from 'fast-check';
import { Recent } from '../../../../operator/gateway/front/recent.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

describe('operator/gateway/front/recent', () => {
  const make = (clock: ManualClock) => new Recent<number>({ clock, ttlMs: 10, maxEntries: 3 });

  it('holds no more than its bound; the oldest goes first', async () => {
    const recent = make(new ManualClock());
    let asked = 0;
    const get = (key: string) => recent.get(key, async () => ++asked);
    for (const key of ['a', 'b', 'c', 'd']) await get(key);
    expect(recent.size).to.equal(3);
    expect(await get('d')).to.equal(4);
    expect(await get('a')).to.equal(5);
  });

  it('counts the time from the question, not from the answer', async () => {
    const clock = new ManualClock();
    const recent = make(clock);
    let answer: (value: number) => void = () => {};
    const first = recent.get(
      'a',
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    clock.advance(9);
    answer(1);
    await first;
    clock.advance(1);
    expect(await recent.get('a', async () => 2)).to.equal(2);
  });

  it('forgets a failure, but not the newer answer in its place', async () => {
    const clock = new ManualClock();
    const recent = make(clock);
    let fail: (error: Error) => void = () => {};
    const late = recent
      .get(
        'a',
        () =>
          new Promise((_, reject) => {
            fail = reject;
          }),
      )
      .catch(() => 'failed');
    clock.advance(10);
    expect(await recent.get('a', async () => 2)).to.equal(2);
    fail(new Error('late'));
    expect(await late).to.equal('failed');
    expect(await recent.get('a', async () => 3)).to.equal(2);
    expect(recent.size).to.equal(1);
  });

  it('property: an answer is never older than its time, and never asked for twice within it', async () => {
    const step = fc.oneof(
      fc.record({ key: fc.constantFrom('a', 'b') }),
      fc.record({ waitMs: fc.integer({ min: 1, max: 12 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const clock = new ManualClock();
        const recent = new Recent<number>({ clock, ttlMs: 10, maxEntries: 5 });
        const askedAt = new Map<string, number>();
        for (const each of steps) {
          if ('waitMs' in each) {
            clock.advance(each.waitMs);
            continue;
          }
          const before = askedAt.get(each.key);
          const answer = await recent.get(each.key, async () => {
            askedAt.set(each.key, clock.nowMs());
            return clock.nowMs();
          });
          expect(clock.nowMs() - answer).to.be.below(10);
          if (before !== undefined && clock.nowMs() - before < 10) expect(askedAt.get(each.key)).to.equal(before);
        }
      }),
    );
  });
});
