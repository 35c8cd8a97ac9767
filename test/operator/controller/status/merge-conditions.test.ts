import { expect } from 'chai';
import fc from 'fast-check';
import type { Condition } from '../../../../crds/types.ts';
import { changedConditions, mergeConditions } from '../../../../operator/controller/status/merge-conditions.ts';

const at = (text: string) => new Date(text);
const verdict = (status: Condition['status'], reason = 'R') => ({ type: 'Ready', status, reason, message: 'm' });

describe('operator/controller/status/merge-conditions', () => {
  it('dates a new condition to the second', () => {
    const [merged] = mergeConditions([], [verdict('True')], at('2026-01-01T00:00:00.789Z'));
    expect(merged?.lastTransitionTime).to.equal('2026-01-01T00:00:00Z');
  });

  it('tells of a changed status, not of a new condition nor of a new reason', () => {
    const before = mergeConditions([], [verdict('True')], at('2026-01-01T00:00:00Z'));
    const changed = (status: Condition['status'], reason: string) =>
      changedConditions(before, mergeConditions(before, [verdict(status, reason)], at('2026-01-02T00:00:00Z')));
    expect(changed('False', 'R')).to.have.length(1);
    expect(changed('True', 'Other')).to.have.length(0);
    expect(changedConditions([], before)).to.have.length(0);
  });

  it('property: lastTransitionTime moves exactly when the status does', () => {
    const status = fc.constantFrom<Condition['status']>('True', 'False', 'Unknown');
    fc.assert(
      fc.property(fc.array(fc.record({ status, reason: fc.constantFrom('A', 'B') }), { minLength: 1 }), (steps) => {
        let previous: Condition[] = [];
        steps.forEach(({ status: next, reason }, index) => {
          const now = new Date(Date.UTC(2026, 0, 1, 0, 0, index));
          const merged = mergeConditions(previous, [verdict(next, reason)], now);
          const stayed = previous[0]?.status === next;
          const expected = stayed ? previous[0]?.lastTransitionTime : now.toISOString().replace('.000', '');
          expect(merged[0]?.lastTransitionTime).to.equal(expected);
          previous = merged;
        });
      }),
    );
  });
});
