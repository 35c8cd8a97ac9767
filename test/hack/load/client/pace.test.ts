import { expect } from 'chai';
import { aheadOf, Pace } from '../../../../hack/load/client/pace.ts';

describe('hack/load/client/pace', () => {
  it('aheadOf: how much too early', () => {
    expect(aheadOf(2_000, 1_000, 500)).to.equal(1_500);
    expect(aheadOf(2_000, 1_000, 3_000)).to.equal(-1_000);
    expect(aheadOf(2_000, Number.POSITIVE_INFINITY, 5)).to.equal(-5);
    expect(aheadOf(0, 0, 5)).to.equal(Number.POSITIVE_INFINITY);
  });

  it('pauses whoever is ahead, and lets him go when his pace changes', () => {
    const said: string[] = [];
    const reader = { pause: () => said.push('pause'), resume: () => said.push('resume') };
    const pace = new Pace(0);
    pace.took(10, reader);
    pace.change(Number.POSITIVE_INFINITY);
    pace.took(10, reader);
    pace.stop();
    expect(said).to.deep.equal(['pause', 'resume']);
  });
});
