import { expect } from 'chai';
import fc from 'fast-check';
import { ceilingMs, fullJitterMs } from '../../process/backoff.ts';

describe('process/backoff', () => {
  it('doubles from the first attempt up to the bound', () => {
    expect([1, 2, 3, 4, 5, 99].map((attempt) => ceilingMs(attempt, 100, 1_000))).to.deep.equal([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  it('spreads a delay over the whole interval', () => {
    expect(fullJitterMs({ attempt: 3, minMs: 100, maxMs: 1_000, random: 0 })).to.equal(0);
    expect(fullJitterMs({ attempt: 3, minMs: 100, maxMs: 1_000, random: 0.5 })).to.equal(200);
    expect(fullJitterMs({ attempt: 3, minMs: 100, maxMs: 1_000, random: 0.999 })).to.equal(399);
  });

  it('property: a delay is a whole number from 0 to the bound, whatever the attempt', () => {
    const options = fc.record({
      attempt: fc.integer({ min: -5, max: 1_000_000 }),
      minMs: fc.nat(100_000),
      maxMs: fc.nat(10_000_000),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    });
    fc.assert(
      fc.property(options, (given) => {
        const delayMs = fullJitterMs(given);
        expect(Number.isInteger(delayMs)).to.equal(true);
        expect(delayMs).to.be.within(0, given.maxMs);
      }),
    );
  });
});
