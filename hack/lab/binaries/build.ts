import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Progress, reportIfSlow } from '../progress.ts';
import type { ProgramSet } from './programs.ts';
import { versionOf } from './versions.ts';

/**
 * Builds all programs of a set into `folder`: one file and a link for each, as its main.go tells them apart by name.
 * The first time takes minutes; Go keeps what it has compiled, so an interrupted build goes on where it was.
 */
export async function build(set: ProgramSet<string>, folder: string, progress: Progress): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const remedy = `install Go 1.26 or newer with access to a module proxy, or set KUBEBUILDER_ASSETS to a folder with ${set.programs.join(', ')}`;
  progress(
    `building the ${set.what} ${versionOf(set)} with \`go build\`: ${set.firstBuild} the first time, seconds afterwards`,
  );
  const lines: string[] = [];
  let packages = 0;
  const onLine = (line: string): void => {
    lines.push(line);
    if (lines.length > 20) lines.shift();
    if (!line.includes(' ')) packages++;
  };
  const what = (): string =>
    `go build: ${packages} packages compiled, now ${lines.at(-1) ?? 'reading modules or linking'}`;
  const going = goBuild(set, join(folder, set.key), onLine);
  const code = await reportIfSlow(progress, what, going).catch((cause: unknown) => {
    throw new Error(`Go could not be run; ${remedy}.`, { cause });
  });
  if (code !== 0) throw new Error(`go build failed; ${remedy}. Go said:\n${lines.slice(-8).join('\n')}`);
  for (const program of set.programs) symlinkSync(set.key, join(folder, program));
}

/** Runs Go; resolves with its exit code. Each line of what it says goes to `onLine`. */
function goBuild(set: ProgramSet<string>, output: string, onLine: (line: string) => void): Promise<number> {
  const stamps = Object.entries(set.stamps(versionOf(set))).map(([variable, value]) => `-X ${variable}=${value}`);
  const ldflags = ['-s', '-w', ...stamps].join(' ');
  const args = ['build', '-v', '-trimpath', '-ldflags', ldflags, '-o', output, set.goPackage];
  const environment = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' };
  return new Promise((resolve, reject) => {
    const go = spawn('go', args, { cwd: set.module, env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
    createInterface({ input: go.stderr }).on('line', onLine);
    go.once('error', reject);
    go.once('close', (code) => resolve(code ?? 1));
  });
}
