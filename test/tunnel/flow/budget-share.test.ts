import { expect } from 'chai';
import fc from 'fast-check';
import { Budget } from '../../../tunnel/flow/budget.ts';
import { BudgetShare } from '../../../tunnel/flow/budget-share.ts';
import { INITIAL_WINDOW_BYTES } from '../../../tunnel/wire/limits.ts';

const STREAMS = 1_000;

/** How many streams it admits now. */
function admitted(share: BudgetShare): number {
  let count = 0;
  while (share.reserve()) count += 1;
  return count;
}

describe('tunnel/flow/budget-share', () => {
  let whole: Budget;
  beforeEach(() => {
    whole = new Budget(STREAMS * INITIAL_WINDOW_BYTES);
  });

  it('gives a tunnel alone four fifths of seven eighths', () => {
    const share = new BudgetShare(whole);
    expect(share.hasReserve).to.equal(true);
    expect(admitted(share)).to.equal(700);
    expect([share.hasReserve, whole.hasReserve]).to.deep.equal([false, true]);
    expect([share.usedBytes, whole.usedBytes]).to.deep.equal(Array(2).fill(700 * INITIAL_WINDOW_BYTES));
    expect(share.limitBytes).to.equal(whole.limitBytes);
    expect(share.sendBytesPerStream).to.equal(whole.sendBytesPerStream);
  });

  it('leaves a few streams to each who comes later, however many are greedy', () => {
    for (let tunnel = 0; tunnel < 30; tunnel++) expect(admitted(new BudgetShare(whole))).to.be.at.least(4);
    expect(new BudgetShare(whole).reserve()).to.equal(true);
  });

  it('brings greedy ones to equal parts as their streams come and go', () => {
    const shares = [new BudgetShare(whole), new BudgetShare(whole), new BudgetShare(whole)];
    for (const share of shares) admitted(share);
    for (let round = 0; round < 2_000; round++) {
      const [largest] = [...shares].sort((a, b) => b.usedBytes - a.usedBytes);
      largest?.release(0);
      for (const share of shares) admitted(share);
    }
    const streams = shares.map(({ usedBytes }) => usedBytes / INITIAL_WINDOW_BYTES);
    // Four thirteenths of seven eighths each.
    for (const count of streams) expect(count).to.be.within(260, 275);
  });

  it('bounds growth in the same way', () => {
    const [first, second] = [new BudgetShare(whole), new BudgetShare(whole)];
    const all = 0.75 * whole.limitBytes;
    const grown = first.grow(Number.MAX_SAFE_INTEGER);
    expect(grown / all).to.be.closeTo(0.8, 0.001);
    expect(second.grow(Number.MAX_SAFE_INTEGER) / all).to.be.closeTo(0.16, 0.001);
    expect(first.grow(1)).to.equal(0);
    first.shrink(grown);
    expect(first.usedBytes).to.equal(0);
    expect(whole.usedBytes).to.equal(second.usedBytes);
  });

  it('bounds what is taken at once, all of it or nothing', () => {
    const share = new BudgetShare(whole);
    expect(share.take(0.9 * whole.limitBytes)).to.equal(false);
    expect([share.usedBytes, whole.usedBytes]).to.deep.equal([0, 0]);
    expect(share.take(0.7 * whole.limitBytes)).to.equal(true);
    expect(share.take(0.2 * whole.limitBytes)).to.equal(false);
    share.shrink(0.7 * whole.limitBytes);
    expect([share.usedBytes, whole.usedBytes]).to.deep.equal([0, 0]);
  });

  it('tells of the whole when something becomes free, whose it was', () => {
    let told = 0;
    whole.onFreed = () => {
      told += 1;
    };
    const share = new BudgetShare(whole);
    share.reserve();
    share.grow(10);
    expect(told).to.equal(0);
    share.shrink(4);
    share.release(6);
    expect(told).to.equal(2);
  });

  it('property: the whole holds what its shares hold, never more than its limit, and comes back to nothing', () => {
    const bytes = fc.nat(400_000);
    const step = fc.record({
      who: fc.nat(3),
      what: fc.constantFrom('reserve', 'release', 'grow', 'take', 'shrink'),
      bytes,
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        whole = new Budget(20 * INITIAL_WINDOW_BYTES);
        const holders = Array.from({ length: 4 }, () => new Holder(new BudgetShare(whole)));
        for (const { who, what, bytes } of steps) {
          holders[who]?.[what as 'reserve'](bytes);
          for (const { share, bytes: held, streams } of holders) {
            expect(share.usedBytes).to.equal(streams * INITIAL_WINDOW_BYTES + held);
          }
          expect(whole.usedBytes).to.equal(holders.reduce((sum, { share }) => sum + share.usedBytes, 0));
          expect(whole.usedBytes).to.be.at.most(whole.limitBytes);
        }
        for (const holder of holders) holder.empty();
        expect(whole.usedBytes).to.equal(0);
      }),
    );
  });
});

/** Who takes and gives back, and knows what it has. */
class Holder {
  readonly share: BudgetShare;
  streams = 0;
  bytes = 0;

  constructor(share: BudgetShare) {
    this.share = share;
  }

  reserve(_: number): void {
    if (this.share.reserve()) this.streams += 1;
  }

  release(_: number): void {
    if (this.streams === 0) return;
    this.share.release(0);
    this.streams -= 1;
  }

  grow(bytes: number): void {
    this.bytes += this.share.grow(bytes);
  }

  take(bytes: number): void {
    if (this.share.take(bytes)) this.bytes += bytes;
  }

  shrink(_: number): void {
    this.share.shrink(this.bytes);
    this.bytes = 0;
  }

  empty(): void {
    this.shrink(0);
    while (this.streams > 0) this.release(0);
  }
}
