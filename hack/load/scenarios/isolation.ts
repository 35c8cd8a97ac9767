import { PROGRAMS } from '../../bench/programs.ts';
import { isolation as measured } from '../../bench/scenarios/isolation.ts';
import { buildPrograms } from '../programs.ts';
import { type Load, type Outcome, type Scenario, verdict } from '../scenario.ts';

/** The bench's, whose goals are rules here. */
export const isolation: Scenario = { name: 'isolation', mostMs: 420_000, run };

async function run({ folder, progress }: Load): Promise<Outcome> {
  const programs = await buildPrograms(folder, PROGRAMS);
  const { goals, rows } = await measured.run({ folder, programs, progress, isFull: false });
  return {
    verdicts: goals.map(({ name, goal, met, ratio }) => verdict(`${name} <= ${goal}`, met, ratio.toFixed(2))),
    rows,
  };
}
