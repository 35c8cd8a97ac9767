#!/usr/bin/env -S npx tsx
/** `npm run load`: what the tunnel is made to bear, by name, and whether it behaves meanwhile. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../process/redact.ts';
import { print, table, tell } from '../lab/output.ts';
import { REPOSITORY } from '../lab/paths.ts';
import { elapsed } from '../lab/progress.ts';
import { within } from './deadline.ts';
import { Display } from './display.ts';
import { readOptions, UsageError } from './options.ts';
import { buildPrograms } from './programs.ts';
import { concluded, type Result } from './result.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { PROGRAMS } from './scenario-programs.ts';
import { connectionFlap } from './scenarios/connection-flap.ts';
import { highVolume } from './scenarios/high-volume.ts';
import { isolation } from './scenarios/isolation.ts';
import { largeResponse } from './scenarios/large-response.ts';
import { memory } from './scenarios/memory.ts';
import { timeout } from './scenarios/timeout.ts';
import { violationsText } from './violations.ts';

const SCENARIOS: readonly Scenario[] = [highVolume, largeResponse, connectionFlap, timeout, memory, isolation];

// Agents are killed on the way out.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  const known = SCENARIOS.map(({ name }) => name);
  // What is overdue would go on.
  process.exit(await main(readOptions(process.argv.slice(2), known)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  tell(error.message);
  process.exitCode = 2;
}

async function main({ names, isShort, isJson }: ReturnType<typeof readOptions>): Promise<number> {
  const folder = join(REPOSITORY, '.lab', `load-${process.pid}`);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const results: Result[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => names.includes(name))) {
    results.push(await perform(scenario, { folder: join(folder, scenario.name), isShort, isJson }));
  }
  if (isJson) print(JSON.stringify({ scenarios: results }));
  return results.every(({ ok }) => ok) ? 0 : 1;
}

interface Performing {
  readonly folder: string;
  readonly isShort: boolean;
  readonly isJson: boolean;
}

/** Never rejects: what goes wrong is a verdict too. */
async function perform({ name, run, mostMs }: Scenario, { folder, isShort, isJson }: Performing): Promise<Result> {
  const display = new Display(name, tell);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const running = async (): Promise<Outcome> => {
    const programs = await buildPrograms(folder, PROGRAMS);
    return run({ folder, programs, progress: display.progress, isShort });
  };
  const { verdicts, rows } = await within(mostMs, running()).catch(
    (error: unknown): Outcome => ({
      verdicts: [{ rule: 'the scenario runs to its end', violations: [describeError(error)] }],
      rows: [],
    }),
  );
  display.stop();
  const result = concluded(name, verdicts, display.tookMs);
  if (!result.ok) tell(violationsText(verdicts));
  const say = isJson ? tell : print;
  const held = verdicts.length - result.violated.length;
  const total = `${held} of ${verdicts.length} rules held, ${elapsed(display.tookMs)}`;
  say(`${result.ok ? 'PASSED' : 'FAILED'} ${name}: ${total}\n${table(rows.map((row) => ['  ', ...row]))}`);
  return result;
}
