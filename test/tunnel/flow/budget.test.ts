import { expect } from 'chai';
import fc from 'fast-check';
import { Budget } from '../../../tunnel/flow/budget.ts';
import { INITIAL_WINDOW_BYTES } from '../../../tunnel/wire/limits.ts';

describe('tunnel/flow/budget', () => {
  it('admits streams while there is a reserve, and one more for each that leaves', () => {
    const budget = new Budget(2 * INITIAL_WINDOW_BYTES + 1);
    expect([budget.reserve(), budget.reserve(), budget.reserve()]).to.deep.equal([true, true, false]);
    budget.release(0);
    expect(budget.reserve()).to.equal(true);
  });

  it('keeps a quarter of the budget for admitting streams', () => {
    const budget = new Budget(64 * INITIAL_WINDOW_BYTES);
    expect(budget.grow(Number.MAX_SAFE_INTEGER)).to.equal(48 * INITIAL_WINDOW_BYTES);
    expect(budget.grow(1)).to.equal(0);
    for (let stream = 0; stream < 16; stream++) expect(budget.reserve()).to.equal(true);
    expect(budget.reserve()).to.equal(false);
  });

  it('takes nothing back when the limit is lowered: it stops growth and admission', () => {
    const budget = new Budget(16 * INITIAL_WINDOW_BYTES);
    budget.reserve();
    budget.grow(INITIAL_WINDOW_BYTES);
    budget.limitBytes = 1;
    expect(budget.usedBytes).to.equal(2 * INITIAL_WINDOW_BYTES);
    expect(budget.reserve()).to.equal(false);
    expect(budget.grow(100)).to.equal(0);
    budget.release(INITIAL_WINDOW_BYTES);
    expect(budget.usedBytes).to.equal(0);
  });

  it('lets all streams together hold a quarter of the limit to be sent, and each at least one system call', () => {
    const budget = new Budget(32 * 1024 * 1024);
    expect(budget.sendBytesPerStream).to.equal(64 * 1024);
    for (let stream = 0; stream < 1_024; stream++) budget.reserve();
    expect(budget.sendBytesPerStream * 1_024).to.equal(8 * 1024 * 1024);
    budget.limitBytes = 1;
    expect(budget.sendBytesPerStream).to.equal(4 * 1024);
  });

  it('takes memory of a fixed size whole or not at all, also out of what is kept for admission', () => {
    const budget = new Budget(4 * INITIAL_WINDOW_BYTES);
    expect(budget.grow(Number.MAX_SAFE_INTEGER)).to.equal(3 * INITIAL_WINDOW_BYTES);
    expect([budget.take(INITIAL_WINDOW_BYTES + 1), budget.take(INITIAL_WINDOW_BYTES)]).to.deep.equal([false, true]);
    expect([budget.usedBytes, budget.reserve()]).to.deep.equal([4 * INITIAL_WINDOW_BYTES, false]);
    budget.shrink(4 * INITIAL_WINDOW_BYTES);
    expect(budget.usedBytes).to.equal(0);
  });

  it('asserts that nothing is released twice', () => {
    const budget = new Budget(INITIAL_WINDOW_BYTES);
    expect(() => budget.release(0)).to.throw(RangeError);
    budget.reserve();
    expect(() => budget.release(1)).to.throw(RangeError);
  });

  it('property: used bytes never pass the limit, and are zero once all is released', () => {
    const step = fc.record({
      kind: fc.constantFrom('open' as const, 'grow' as const, 'close' as const),
      bytes: fc.nat(1_000_000),
    });
    fc.assert(
      fc.property(fc.nat(4_000_000), fc.array(step, { maxLength: 100, size: 'max' }), (limit, steps) => {
        const budget = new Budget(limit);
        const grown: number[] = [];
        const run = {
          open: () => budget.reserve() && grown.push(0),
          grow: (bytes: number) => grown.length > 0 && grown.push((grown.pop() ?? 0) + budget.grow(bytes)),
          close: () => grown.length > 0 && budget.release(grown.pop() ?? 0),
        };
        for (const { kind, bytes } of steps) {
          run[kind](bytes);
          expect(budget.usedBytes).to.be.at.most(limit);
        }
        for (const bytes of grown) budget.release(bytes);
        expect(budget.usedBytes).to.equal(0);
      }),
    );
  }).timeout(20_000);
});
