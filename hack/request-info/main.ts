/**
 * `npm run request-info`: asks the API server's own code (Go, main.go) what it makes of many request lines, and compares.
 * `--record` writes test/golden/request-info.jsonl from it; `--count`, `--seed`: how many, and which.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isLongRunning, requestInfo } from '../../tunnel/request-info.ts';
import { type Line, someLines } from './cases.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const GOLDEN = fileURLToPath(new URL('../../test/golden/request-info.jsonl', import.meta.url));
const RECORDED = 1_500;
const BUILD_MS = 10 * 60_000;
const ASK_MS = 2 * 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024 * 1024;
const SHOWN = 20;

const { values } = parseArgs({
  options: {
    record: { type: 'boolean', default: false },
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_007) },
  },
});
const seed = Number(values.seed);
const lines = someLines(values.record ? RECORDED : Number(values.count), seed);
process.stderr.write(`${lines.length} request lines, seed ${seed}; building the API server's reader …\n`);
const answers = ask(lines);
if (values.record) {
  writeFileSync(GOLDEN, answers);
  process.stdout.write(`${lines.length} lines recorded in test/golden/request-info.jsonl\n`);
} else compare(answers);

/** One line of JSON for each, as main.go says. */
function ask(asked: readonly Line[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'clustertunnel-request-info-'));
  try {
    const program = join(folder, 'request-info');
    run('go', ['build', '-o', program, '.'], { cwd: FOLDER, timeout: BUILD_MS });
    const input = asked.map((line) => `${JSON.stringify(line)}\n`).join('');
    return run(program, [], { input, timeout: ASK_MS });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], options: object): string {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: MAX_OUTPUT_BYTES, ...options });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`${command} failed (${result.status ?? result.signal}): ${result.stderr}`);
  return result.stdout;
}

function compare(told: string): void {
  let different = 0;
  for (const text of told.trimEnd().split('\n')) {
    const { method, path, error, ...theirs } = JSON.parse(text);
    const info = requestInfo(method, path);
    const ours = { ...info, isLongRunning: isLongRunning(info, path) };
    // What it answers with 500 we hand on as no resource.
    const isAlike =
      error === undefined ? JSON.stringify(sorted(ours)) === JSON.stringify(sorted(theirs)) : !info.isResourceRequest;
    if (isAlike) continue;
    different += 1;
    if (different > SHOWN) continue;
    process.stdout.write(`${method} ${path}\n  ours   ${JSON.stringify(sorted(ours))}\n`);
    process.stdout.write(`  theirs ${error ?? JSON.stringify(sorted(theirs))}\n`);
  }
  process.stdout.write(`${lines.length - different} read alike, ${different} differently\n`);
  process.exitCode = different === 0 ? 0 : 1;
}

function sorted(fields: object): object {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
}
