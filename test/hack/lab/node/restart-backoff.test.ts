import { expect } from 'chai';
import { KUBELET_BACKOFF, RestartBackoff } from '../../../../hack/lab/node/restart-backoff.ts';

describe('hack/lab/node/restart-backoff', () => {
  it('restarts at once, then after 10 s, twice as long each time, at most 5 minutes', () => {
    const backoff = new RestartBackoff();
    const delays = Array.from({ length: 8 }, () => backoff.delayMs(1_000) / 1000);
    expect(delays).to.deep.equal([0, 10, 20, 40, 80, 160, 300, 300]);
  });

  it('begins anew after a long run', () => {
    const backoff = new RestartBackoff();
    backoff.delayMs(0);
    backoff.delayMs(0);
    expect(backoff.delayMs(KUBELET_BACKOFF.resetAfterMs)).to.equal(0);
    expect(backoff.delayMs(0)).to.equal(KUBELET_BACKOFF.baseMs);
  });
});
