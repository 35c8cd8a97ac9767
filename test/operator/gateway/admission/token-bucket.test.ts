import { expect } from 'chai';
import fc from 'fast-check';
import { TokenBucket } from '../../../../operator/gateway/admission/token-bucket.ts';

const RATE = { requestsPerSecond: 10, burst: 3 };

/** How many of `asked` it gives at once. */
function given(bucket: TokenBucket, rate: typeof RATE, nowMs: number, asked = 10_000): number {
  let count = 0;
  while (count < asked && bucket.take(rate, nowMs)) count += 1;
  return count;
}

describe('operator/gateway/admission/token-bucket', () => {
  it('gives a burst at first, then one token each time that the rate has made one', () => {
    const bucket = new TokenBucket();
    expect(given(bucket, RATE, 500)).to.equal(3);
    expect(bucket.take(RATE, 599)).to.equal(false);
    expect([bucket.take(RATE, 600), bucket.take(RATE, 600)]).to.deep.equal([true, false]);
  });

  it('keeps no more than the burst, however long it was quiet', () => {
    const bucket = new TokenBucket();
    given(bucket, RATE, 0);
    expect(given(bucket, RATE, 3_600_000)).to.equal(3);
  });

  it('follows another rate from now on', () => {
    const bucket = new TokenBucket();
    given(bucket, RATE, 0);
    const fast = { requestsPerSecond: 1_000, burst: 50 };
    expect(given(bucket, fast, 20), 'a higher one').to.equal(20);
    expect(given(bucket, fast, 10_000)).to.equal(50);
    const none = { requestsPerSecond: 1, burst: 1 };
    expect(given(bucket, none, 10_900), 'a lower one').to.equal(0);
    expect(given(bucket, none, 100_000)).to.equal(1);
  });

  it('looks without taking', () => {
    const bucket = new TokenBucket();
    for (let at = 0; at < 9; at++) expect(bucket.has(RATE, 0)).to.equal(true);
    expect(given(bucket, RATE, 0)).to.equal(3);
    expect(bucket.has(RATE, 0)).to.equal(false);
  });

  it('property: in no stretch of time more than burst + rate × time', () => {
    const asks = fc.array(fc.record({ afterMs: fc.nat(400), count: fc.nat(8) }), { maxLength: 40 });
    fc.assert(
      fc.property(asks, (steps) => {
        const bucket = new TokenBucket();
        const taken: { atMs: number; count: number }[] = [];
        let atMs = 0;
        for (const { afterMs, count } of steps) {
          atMs += afterMs;
          taken.push({ atMs, count: given(bucket, RATE, atMs, count) });
          for (let from = 0; from < taken.length; from++) {
            const total = taken.slice(from).reduce((sum, each) => sum + each.count, 0);
            const allowed = RATE.burst + ((atMs - (taken[from]?.atMs ?? 0)) / 1_000) * RATE.requestsPerSecond;
            expect(total).to.be.at.most(allowed + 1e-6);
          }
        }
      }),
    );
  });
});
