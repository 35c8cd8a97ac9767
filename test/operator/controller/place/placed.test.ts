import { expect } from 'chai';
import { Placed } from '../../../../operator/controller/place/placed.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

describe('operator/controller/place/placed', () => {
  it('knows the state that was applied last, and no other', () => {
    const placed = new Placed(new ManualClock());
    placed.begin('prod', 'a')();
    expect(placed.isCurrent('prod', 'a')).to.equal(true);
    expect(placed.isCurrent('prod', 'b')).to.equal(false);
    expect(placed.isCurrent('test', 'a')).to.equal(false);
  });

  it('forgets what somebody changed', () => {
    const placed = new Placed(new ManualClock());
    placed.begin('prod', 'a')();
    placed.forget('prod');
    expect(placed.isCurrent('prod', 'a')).to.equal(false);
  });

  it('does not take an apply for current during which somebody changed an object', () => {
    const placed = new Placed(new ManualClock());
    const succeeded = placed.begin('prod', 'a');
    placed.forget('prod');
    succeeded();
    expect(placed.isCurrent('prod', 'a')).to.equal(false);
  });

  it('no longer trusts what was applied before an attempt that did not succeed', () => {
    const placed = new Placed(new ManualClock());
    placed.begin('prod', 'a')();
    placed.begin('prod', 'b');
    expect(placed.isCurrent('prod', 'a')).to.equal(false);
  });

  it('applies again after ten minutes', () => {
    const clock = new ManualClock();
    const placed = new Placed(clock);
    placed.begin('prod', 'a')();
    clock.advance(600_000);
    expect(placed.isCurrent('prod', 'a')).to.equal(false);
  });
});
