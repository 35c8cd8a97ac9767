import { expect } from 'chai';
import { AGENT_CASES } from '../../hack/tunnelspec/agent/cases.ts';
import type { Case } from '../../hack/tunnelspec/case.ts';
import { GATEWAY_CASES } from '../../hack/tunnelspec/gateway/cases.ts';
import { agentBenches, type Benches, gatewayBenches } from '../../hack/tunnelspec/live/benches.ts';
import { type End, readRules } from '../../hack/tunnelspec/rules.ts';
import { type Outcome, runCases } from '../../hack/tunnelspec/run.ts';

/** Agents that run at once: two cores have to serve them. */
const AGENTS = 3;

describe('tunnelspec', function () {
  this.timeout(180_000);

  specOf('gateway', GATEWAY_CASES, () => gatewayBenches());
  specOf('agent', AGENT_CASES, () => agentBenches(AGENTS));
});

/** All cases against live peers of our own source; each is a test. */
function specOf<Lab>(end: End, cases: readonly Case<Lab>[], start: () => Promise<Benches<Lab>>): void {
  describe(end, () => {
    let outcomes: readonly Outcome[];

    before(async () => {
      const { benches, stop } = await start();
      try {
        outcomes = await runCases(end, cases, benches);
      } finally {
        await stop();
      }
    });

    cases.forEach(({ rule, title }, at) => {
      it(`${rule} ${title}`, () => {
        expect(outcomes[at]?.detail).to.equal('');
        expect(outcomes[at]?.verdict).to.equal('passed');
      });
    });

    it('has a case for every rule that it keeps, and no other', () => {
      const rules = readRules().filter(({ ends }) => ends.includes(end));
      expect(new Set(cases.map(({ rule }) => rule))).to.deep.equal(new Set(rules.map(({ id }) => id)));
    });
  });
}
