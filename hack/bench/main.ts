#!/usr/bin/env -S npx tsx
/** `npm run bench`: what the tunnel costs and withstands, as ratios that are measured side by side. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { print, table, tell } from '../lab/output.ts';
import { REPOSITORY } from '../lab/paths.ts';
import { elapsed } from '../lab/progress.ts';
import { buildPrograms } from '../load/programs.ts';
import { PROGRAMS } from './programs.ts';
import type { Goal, Outcome, Scenario } from './scenario.ts';
import { cancelStorm } from './scenarios/cancel-storm.ts';
import { isolation } from './scenarios/isolation.ts';
import { slowReaders } from './scenarios/slow-readers.ts';
import { slowloris } from './scenarios/slowloris.ts';
import { stalledReader } from './scenarios/stalled-reader.ts';

const SCENARIOS: readonly Scenario[] = [stalledReader, slowReaders, cancelStorm, slowloris, isolation];

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    full: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

const chosen = SCENARIOS.filter(({ name }) => flags.only.length === 0 || flags.only.includes(name));
const unknown = flags.only.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  tell(`no scenario ${unknown.join(', ')}: there are ${SCENARIOS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const folder = join(REPOSITORY, '.lab', `bench-${process.pid}`);
const goals: Goal[] = [];
try {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const programs = await buildPrograms(folder, PROGRAMS);
  for (const scenario of chosen) goals.push(...(await perform(scenario, { folder, programs })));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const json = JSON.stringify({ goals });
if (flags.json !== undefined) writeFileSync(flags.json, `${json}\n`);
print(json);
process.exitCode = goals.every(({ met }) => met) ? 0 : 1;

async function perform(
  { name, run }: Scenario,
  { folder: at, programs }: Pick<Parameters<Scenario['run']>[0], 'folder' | 'programs'>,
) {
  const startedMs = Date.now();
  const progress = (sentence: string) => tell(`  ${name}, ${elapsed(Date.now() - startedMs)}: ${sentence}`);
  const outcome = await run({ folder: at, programs, progress, isFull: flags.full });
  report(name, outcome, Date.now() - startedMs);
  return outcome.goals;
}

function report(name: string, { rows, goals: reached }: Outcome, tookMs: number): void {
  const verdicts = reached.map(({ name: what, ratio, goal, met }) => [
    met ? 'met' : 'MISSED',
    `${ratio.toFixed(2)}`,
    `<= ${goal}`,
    what,
  ]);
  print(`\n${name} (${elapsed(tookMs)})\n${table(rows)}\n${table(verdicts)}`);
}
