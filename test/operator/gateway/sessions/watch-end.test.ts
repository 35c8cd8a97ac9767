import { expect } from 'chai';
import { WATCH_ENDS_WITHIN_MS, watchEndsAfterMs } from '../../../../operator/gateway/sessions/watch-end.ts';

describe('operator/gateway/sessions/watch-end', () => {
  it('spreads over a second', () => {
    const watch = { ageMs: 60_000, hasEvents: false };
    expect([0, 0.5, 1].map((random) => watchEndsAfterMs(watch, random))).to.deep.equal([0, 500, 1_000]);
  });

  it('lets a watch without an event last 1.1 s', () => {
    expect(watchEndsAfterMs({ ageMs: 100, hasEvents: false }, 0)).to.equal(1_000);
    expect(watchEndsAfterMs({ ageMs: 0, hasEvents: false }, 1)).to.equal(WATCH_ENDS_WITHIN_MS);
  });

  it('does not hold a watch that had one', () => {
    expect(watchEndsAfterMs({ ageMs: 0, hasEvents: true }, 0)).to.equal(0);
  });
});
