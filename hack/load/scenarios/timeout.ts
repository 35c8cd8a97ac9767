import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../../process/redact.ts';
import { check, type Verdict } from '../check.ts';
import { HoldingRelay } from '../holding-relay.ts';
import { Rig } from '../rig.ts';
import type { Load, Outcome, Scenario } from '../scenario.ts';
import { LEAVING, LEAVING_SPEC } from '../stages/leaving.ts';
import { RUNNING_OUT, RUNNING_OUT_SPEC } from '../stages/running-out.ts';
import { Stage, type Trial } from '../stages/stage.ts';

const PROTOCOLS = ['http/1.1', 'h2'] as const;

/** Clients leave, and limits of time run out, at every stage that a request can be in: the target always hears of it. */
export const timeout: Scenario = { name: 'timeout', mostMs: 300_000, run };

async function run(load: Load): Promise<Outcome> {
  const left = await perform(load, { name: 'left', spec: LEAVING_SPEC, trials: LEAVING });
  const late = await perform(load, { name: 'late', spec: RUNNING_OUT_SPEC, trials: RUNNING_OUT });
  const verdicts = [...left, ...late];
  const stages = LEAVING.length + RUNNING_OUT.length;
  return { verdicts, rows: [['stages', `${stages}, each over every protocol that has it`]] };
}

interface Trials {
  readonly name: string;
  readonly spec: object;
  readonly trials: readonly Trial[];
}

async function perform(load: Load, { name, spec, trials }: Trials): Promise<Verdict[]> {
  const folder = join(load.folder, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let relay: HoldingRelay | undefined;
  const upstream = async (port: number) => {
    relay = await HoldingRelay.open(port);
    return relay.url;
  };
  const rig = await Rig.start({ ...load, folder }, { spec, upstream });
  try {
    const verdicts: Verdict[] = [];
    for (const [at, protocol] of PROTOCOLS.entries()) {
      const askers = await rig.askers(`askers-${name}-${at}`, protocol);
      for (const [number, trial] of trials.entries()) {
        if (relay === undefined || (trial.isHttp1Only && protocol === 'h2')) continue;
        const rule = `${name}: ${trial.name}, over ${protocol}`;
        load.progress(rule);
        const stage = new Stage({ rig, askers, relay, prefix: `${name}-${at}-${number}` });
        verdicts.push(await judged(rule, trial.run(stage)));
        relay.release();
      }
    }
    return [...verdicts, ...named(name, check(await rig.finish()))];
  } finally {
    await rig.stop();
    relay?.close();
  }
}

async function judged(rule: string, trial: Promise<void>): Promise<Verdict> {
  const violations = await trial.then(
    () => [],
    (error: unknown) => [describeError(error)],
  );
  return { rule, violations };
}

function named(name: string, verdicts: readonly Verdict[]): Verdict[] {
  return verdicts.map(({ rule, violations }) => ({ rule: `${name}: ${rule}`, violations }));
}
