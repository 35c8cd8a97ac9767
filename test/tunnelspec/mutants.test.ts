import { expect } from 'chai';
import { AGENT_CASES } from '../../hack/tunnelspec/agent/cases.ts';
import type { Case } from '../../hack/tunnelspec/case.ts';
import { GATEWAY_CASES } from '../../hack/tunnelspec/gateway/cases.ts';
import { agentBenches, type Benches, gatewayBenches } from '../../hack/tunnelspec/live/benches.ts';
import type { Patch } from '../../hack/tunnelspec/live/patch.ts';
import { AGENT_MUTANTS } from '../../hack/tunnelspec/mutants/agent.ts';
import { GATEWAY_MUTANTS } from '../../hack/tunnelspec/mutants/gateway.ts';
import type { Mutant } from '../../hack/tunnelspec/mutants/mutant.ts';
import { type End, readRules } from '../../hack/tunnelspec/rules.ts';
import { type Outcome, runCases } from '../../hack/tunnelspec/run.ts';

/** Mutants that live at once. */
const AT_ONCE = 3;

describe('tunnelspec/mutants', function () {
  this.timeout(900_000);

  mutantsOf('gateway', GATEWAY_MUTANTS, GATEWAY_CASES, gatewayBenches);
  mutantsOf('agent', AGENT_MUTANTS, AGENT_CASES, (patches) => agentBenches(1, patches));
});

/** Each rule switched off in turn: a case of that rule must fail. */
function mutantsOf<Lab>(
  end: End,
  mutants: readonly Mutant[],
  cases: readonly Case<Lab>[],
  start: (patches: readonly Patch[]) => Promise<Benches<Lab>>,
): void {
  describe(end, () => {
    const found = new Map<Mutant, Promise<readonly Outcome[]>>();

    before(() => {
      // Those that may have to wait for the peer's timers first: the others fill the time.
      const waits = ({ rule }: Mutant) => Number(cases.some((each) => each.rule === rule && each.isSlow === true));
      const queue = [...mutants].sort((a, b) => waits(b) - waits(a));
      const settle = new Map<Mutant, (outcomes: Promise<readonly Outcome[]>) => void>();
      for (const mutant of mutants) found.set(mutant, new Promise((resolve) => settle.set(mutant, resolve)));
      const work = async () => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          const outcomes = examine(end, next, cases, start);
          settle.get(next)?.(outcomes);
          await outcomes.catch(() => {});
        }
      };
      for (let at = 0; at < AT_ONCE; at++) void work();
    });

    for (const mutant of mutants) {
      it(`${mutant.rule} switched off is seen`, async () => {
        const outcomes = await (found.get(mutant) as Promise<readonly Outcome[]>);
        expect(outcomes, 'cases of this rule').to.not.have.length(0);
        expect(outcomes.map(({ verdict }) => verdict)).to.include('failed');
      });
    }

    it('has one for every rule that it keeps', () => {
      const rules = readRules().filter(({ ends }) => ends.includes(end));
      expect(new Set(mutants.map(({ rule }) => rule))).to.deep.equal(new Set(rules.map(({ id }) => id)));
    });
  });
}

async function examine<Lab>(
  end: End,
  { rule, patches }: Mutant,
  cases: readonly Case<Lab>[],
  start: (patches: readonly Patch[]) => Promise<Benches<Lab>>,
): Promise<readonly Outcome[]> {
  const { benches, stop } = await start(patches);
  try {
    const outcomes: Outcome[] = [];
    const isSeen = () => outcomes.some(({ verdict }) => verdict === 'failed');
    const asked = cases.filter((each) => each.rule === rule);
    // What takes long only when nothing else has seen it.
    for (const isSlow of [false, true]) {
      const part = asked.filter((each) => (each.isSlow ?? false) === isSlow);
      if (!isSeen()) outcomes.push(...(await runCases(end, part, benches, ({ verdict }) => verdict === 'failed')));
    }
    return outcomes;
  } finally {
    await stop();
  }
}
