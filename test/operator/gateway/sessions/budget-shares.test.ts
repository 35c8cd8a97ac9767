import { expect } from 'chai';
import { BudgetShares } from '../../../../operator/gateway/sessions/budget-shares.ts';
import { Budget } from '../../../../tunnel/flow/budget.ts';

describe('operator/gateway/sessions/budget-shares', () => {
  it('gives all sessions of a tunnel the same one, and keeps none without a session', () => {
    const shares = new BudgetShares(new Budget(1_000_000));
    const first = shares.join('c1');
    expect(shares.join('c1')).to.equal(first);
    expect(shares.join('c2')).to.not.equal(first);
    shares.leave('c1');
    expect(shares.join('c1')).to.equal(first);
    for (const tunnel of ['c1', 'c1', 'c2', 'c2', 'nobody']) shares.leave(tunnel);
    expect(shares.size).to.equal(0);
  });
});
