import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ensureBinaries, ensureHelm, ensureNodeBinaries } from './lab/binaries.ts';
import { findNodeTools } from './lab/kubelet-node/prerequisites.ts';

/**
 * Runs the unit tests, then the rules of the wire against live peers and mutants, then the integration tests on a real control plane,
 * and closes with every failure once more (of a long log often only the end is kept) and the true counts:
 * `N passed, N failed[, N skipped]` alone on the last line, or with --json `{"passed":N,"failed":N,"skipped":N}`.
 * `--e2e` runs the tests on real nodes instead, which need root. Exit 1 on any failure, on a run without tests,
 * and in CI on any skip.
 */

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** One line of mocha's json-stream reporter. */
type Line = [event: string, details: Record<string, unknown>];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    unit: { type: 'boolean', default: false },
    tunnelspec: { type: 'boolean', default: false },
    integration: { type: 'boolean', default: false },
    e2e: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

/** A test process that does not end by itself after its last test has left something open. */
const LEAVE_MS = 60_000;
/** Failures that are printed again before the counts, and lines of each. */
const FAILURES_AT_END = 20;
const LINES_A_FAILURE = 12;

const SUITES = {
  unit: ['--config', '.mocharc.json'],
  tunnelspec: ['--config', '.mocharc.tunnelspec.json'],
  integration: ['--config', '.mocharc.integration.json'],
  e2e: ['--config', '.mocharc.e2e.json'],
} as const;

const suites = Object.keys(SUITES) as (keyof typeof SUITES)[];
const named = suites.filter((suite) => values[suite]);
const chosen = named.length > 0 ? named : suites.filter((suite) => suite !== 'e2e');

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
let isBroken = false;
for (const suite of chosen) {
  process.stdout.write(`\n${suite} tests\n`);
  if (suite === 'integration' || suite === 'e2e')
    await prepareBinaries({
      withNode: suite === 'e2e' && 'busybox' in findNodeTools(),
      withHelm: suite === 'integration',
    });
  const status = await runSuite([...SUITES[suite], ...positionals], total);
  isBroken ||= status !== 0;
}
const isCi = process.env['CI'] === 'true';
const isShort = total.passed + total.skipped === 0 || (isCi && total.skipped > 0);
if (isCi && total.skipped > 0)
  process.stdout.write('\nIn CI a skipped test is a failure: everything it needs can be had here.\n');
if (failures.length > 0) process.stdout.write(`\nFailed:\n${failures.slice(0, FAILURES_AT_END).join('\n')}\n`);
if (failures.length > FAILURES_AT_END)
  process.stdout.write(`    … and ${failures.length - FAILURES_AT_END} more, further up\n`);
process.stdout.write(`\n${values.json ? JSON.stringify(total) : sentence(total)}\n`);
process.exitCode = isBroken || isShort || total.failed > 0 ? 1 : 0;

function sentence({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Finds, downloads or builds the control plane, and a node's programs where one can be. Where that cannot be, the tests that need it are skipped and say so. */
async function prepareBinaries({ withNode, withHelm }: { withNode: boolean; withHelm: boolean }): Promise<void> {
  const progress = (what: string): boolean => process.stdout.write(`  ${what}\n`);
  try {
    await ensureBinaries({ progress });
    if (withNode) await ensureNodeBinaries({ progress });
    if (withHelm) await ensureHelm({ progress });
  } catch (error) {
    process.stdout.write(`  ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/** Runs mocha once, prints what a person wants to see, adds to the counts. Resolves its exit code. */
function runSuite(args: readonly string[], counts: Counts): Promise<number> {
  const started = Date.now();
  const mocha = spawn(
    process.execPath,
    // Not mocha's launcher: it would start this as another process, which outlives it when it is killed.
    ['--import=tsx', realpathSync('node_modules/mocha/lib/cli/cli.js'), ...args, '--reporter', 'hack/mocha-lines.cjs'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const lines = createInterface({ input: mocha.stdout });
  let hasEnded = false;
  let leaving: NodeJS.Timeout | undefined;
  lines.on('line', (text) => {
    const line = parsed(text);
    if (line === undefined) return void process.stdout.write(`${text}\n`);
    report(line, counts);
    if (line[0] !== 'end') return;
    hasEnded = true;
    leaving = setTimeout(() => mocha.kill('SIGKILL'), LEAVE_MS);
  });
  return new Promise((resolve) => {
    mocha.once('close', (code, signal) => {
      clearTimeout(leaving);
      if (!hasEnded || signal !== null) {
        const end = hasEnded
          ? `the tests left something open: mocha did not end within ${LEAVE_MS / 1000} s`
          : `mocha ended before its last test (${signal ?? `exit code ${code}`})`;
        report(['fail', { title: 'the run itself', error: end }], counts);
      }
      process.stdout.write(`  ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
      resolve(code ?? 1);
    });
  });
}

function parsed(text: string): Line | undefined {
  if (!text.startsWith('\u0001')) return undefined;
  return JSON.parse(text.slice(1)) as Line;
}

function report([event, details]: Line, counts: Counts): void {
  const title = String(details['title']);
  if (event === 'suite') process.stdout.write(`  ${title}\n`);
  if (event === 'pass') counts.passed += 1;
  if (event === 'slow') process.stdout.write(`    ✓ ${title} (${details['seconds']} s)\n`);
  if (event === 'pending') {
    counts.skipped += 1;
    process.stdout.write(`    - skipped: ${title}\n`);
  }
  if (event === 'fail') {
    counts.failed += 1;
    const failure = `    ✗ ${title}\n${String(details['error']).replace(/^/gm, '        ')}\n`;
    failures.push(failure.split('\n', LINES_A_FAILURE).join('\n').trimEnd());
    process.stdout.write(failure);
  }
}
