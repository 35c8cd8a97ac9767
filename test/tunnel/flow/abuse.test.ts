import { expect } from 'chai';
import fc from 'fast-check';
import { AbuseBudget, type AbuseKind, ALLOWANCES } from '../../../tunnel/flow/abuse.ts';

const KINDS = Object.keys(ALLOWANCES) as AbuseKind[];

function spendAll(budget: AbuseBudget, kind: AbuseKind, nowMs: number): number {
  let spent = 0;
  while (budget.spend(kind, nowMs)) spent += 1;
  return spent;
}

describe('tunnel/flow/abuse', () => {
  for (const kind of KINDS) {
    it(`lets a burst of ${kind} pass, and no more`, () => {
      expect(spendAll(new AbuseBudget(), kind, 0)).to.equal(ALLOWANCES[kind].burst);
    });
  }

  it('refills with time, never beyond the burst', () => {
    const budget = new AbuseBudget();
    spendAll(budget, 'ping', 0);
    expect(spendAll(budget, 'ping', 5_000)).to.equal(5);
    expect(spendAll(budget, 'ping', 1_000_000)).to.equal(20);
  });

  it('charges each kind for itself', () => {
    const budget = new AbuseBudget();
    spendAll(budget, 'ping', 0);
    expect(budget.spend('health', 0)).to.equal(true);
  });

  it('property: in any stretch of time at most a burst and its refill pass', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 300, size: 'max' });
    fc.assert(
      fc.property(gaps, fc.constantFrom(...KINDS), (delays, kind) => {
        const budget = new AbuseBudget();
        const { burst, perSecond } = ALLOWANCES[kind];
        let nowMs = 0;
        let passed = 0;
        for (const delayMs of delays) {
          nowMs += delayMs;
          if (budget.spend(kind, nowMs)) passed += 1;
        }
        expect(passed).to.be.at.most(burst + (nowMs / 1_000) * perSecond + 1e-6);
      }),
    );
  }).timeout(20_000);
});
