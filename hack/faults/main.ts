#!/usr/bin/env -S npx tsx
/** `npm run faults`: sessions cut at random bytes and processes killed, under load; then what must hold whatever happens. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { print, tell } from '../lab/output.ts';
import { REPOSITORY } from '../lab/paths.ts';
import { elapsed } from '../lab/progress.ts';
import { check, type Verdict } from '../load/check.ts';
import { buildPrograms } from '../load/programs.ts';
import { violationsText } from '../load/violations.ts';
import { BREAKS, type Break } from './break.ts';
import { type Options, readOptions, UsageError } from './options.ts';
import { PROGRAMS } from './programs.ts';
import { answersTable, type Figures, figuresOf } from './report.ts';
import { Run } from './run.ts';
import { validity } from './validity.ts';

// Agents are killed on the way out.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  process.exitCode = await main(readOptions(process.argv.slice(2), () => Math.floor(Math.random() * 2 ** 31)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  tell(error.message);
  process.exitCode = 2;
}

async function main(options: Options): Promise<number> {
  const { seed, cuts, kills, breakName, isKept } = options;
  const startedMs = Date.now();
  const broken = breakName === undefined ? undefined : BREAKS[breakName];
  const progress = (sentence: string) => tell(`  ${elapsed(Date.now() - startedMs)}: ${sentence}`);
  const folder = join(REPOSITORY, '.lab', `faults-${process.pid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let isWorthKeeping = true;
  try {
    progress(`seed ${seed}${breakName === undefined ? '' : `, with the fault ${breakName} built in`}`);
    const programs = await buildPrograms(folder, PROGRAMS, broken?.patches);
    const history = await Run.perform({ seed, cuts, kills, programs, folder, progress });
    const valid = validity(history, { cuts, kills });
    const held = check(history);
    const figures = { seed, seconds: Math.round((Date.now() - startedMs) / 1_000), ...figuresOf(history) };
    if (!options.isJson) print(`\n${answersTable(history.attempts)}`);
    if (broken !== undefined) tell(violationsText(held));
    const verdicts = [...valid, ...(broken === undefined ? held : [found(broken, held)])];
    const isGood = conclude(options, verdicts, figures);
    isWorthKeeping = isKept || !isGood;
    return isGood ? 0 : 1;
  } finally {
    if (isWorthKeeping) tell(`journals and logs: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

/** A fault that was built in must break its rule. */
function found({ rule }: Break, held: readonly Verdict[]): Verdict {
  const isFound = held.some((verdict) => verdict.rule === rule && verdict.violations.length > 0);
  return { rule: 'the fault that was built in is found', violations: isFound ? [] : [`"${rule}" held`] };
}

function conclude({ isJson, breakName, ...options }: Options, verdicts: readonly Verdict[], figures: Figures): boolean {
  const failed = verdicts.filter(({ violations }) => violations.length > 0);
  const passed = verdicts.length - failed.length;
  if (failed.length > 0) {
    const again = `npm run faults -- --seed ${options.seed} --cuts ${options.cuts} --kills ${options.kills}`;
    tell(`\n${violationsText(failed)}\n  again: ${again}${breakName === undefined ? '' : ` --break ${breakName}`}`);
  }
  const counts = { passed, failed: failed.length, skipped: 0 };
  if (isJson) {
    print(JSON.stringify({ ...counts, ...figures, violations: failed }));
    return failed.length === 0;
  }
  const { cuts, kills, faultsUnderPosts, writesExecuted, writesRepeated } = figures;
  print(
    `\n${cuts} sessions cut, ${kills} processes killed, ${faultsUnderPosts} of them under a POST that was sent and unanswered; ` +
      `${writesExecuted} writes executed, ${writesRepeated} repeats of writes`,
  );
  print(`${passed} passed, ${failed.length} failed`);
  return failed.length === 0;
}
