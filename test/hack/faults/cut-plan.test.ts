import { expect } from 'chai';
import { drawCut } from '../../../hack/faults/cut-plan.ts';
import { seeded } from '../../../hack/fuzz/random.ts';

function draw(seed: number, count: number) {
  const random = seeded(seed);
  return Array.from({ length: count }, () => drawCut(random));
}

describe('hack/faults/cut-plan', () => {
  it('says the same for the same seed', () => {
    expect(draw(7, 50)).to.deep.equal(draw(7, 50));
    expect(draw(7, 50)).to.not.deep.equal(draw(8, 50));
  });

  it('hits greetings and every size of what follows, both ways and by every means', () => {
    const plans = draw(1, 1_000);
    const share = (isSo: (plan: (typeof plans)[number]) => boolean) => plans.filter(isSo).length / plans.length;
    expect(share(({ afterBytes }) => afterBytes <= 4_000)).to.be.within(0.1, 0.2);
    expect(share(({ afterBytes }) => afterBytes > 4_000 && afterBytes <= 20_000)).to.be.within(0.2, 0.5);
    expect(share(({ afterBytes }) => afterBytes > 100_000)).to.be.within(0.1, 0.3);
    expect(share(({ from }) => from === 'agent')).to.be.within(0.4, 0.6);
    for (const how of ['fin', 'rst', 'half'])
      expect(
        share((plan) => plan.how === how),
        how,
      ).to.be.greaterThan(0.1);
    expect(plans.every(({ afterBytes, greetedMs }) => afterBytes >= 1 && greetedMs > 0)).to.equal(true);
  });
});
