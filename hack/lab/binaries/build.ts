import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BINARIES_MODULE } from '../paths.ts';
import { type Progress, reportIfSlow } from '../progress.ts';
import type { ProgramSet } from './programs.ts';
import { versions } from './versions.ts';

/**
 * Builds all programs of a set into `folder`: one file and a link for each, as its main.go tells them apart by name.
 * The first time takes minutes; Go keeps what it has compiled, so an interrupted build goes on where it was.
 */
export async function build(set: ProgramSet<string>, folder: string, progress: Progress): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const { kubernetes } = versions();
  const remedy = `install Go 1.26 or newer with access to a module proxy, or set KUBEBUILDER_ASSETS to a folder with ${set.programs.join(', ')}`;
  progress(
    `building the ${set.what} ${kubernetes} with \`go build\`: ${set.firstBuild} the first time, seconds afterwards`,
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
  const going = goBuild({ output: join(folder, set.key), goPackage: set.goPackage, kubernetes, onLine });
  const code = await reportIfSlow(progress, what, going).catch((cause: unknown) => {
    throw new Error(`Go could not be run; ${remedy}.`, { cause });
  });
  if (code !== 0) throw new Error(`go build failed; ${remedy}. Go said:\n${lines.slice(-8).join('\n')}`);
  for (const program of set.programs) symlinkSync(set.key, join(folder, program));
}

interface GoBuild {
  readonly output: string;
  readonly goPackage: string;
  readonly kubernetes: string;
  readonly onLine: (line: string) => void;
}

/** Runs Go; resolves with its exit code. Each line of what it says goes to `onLine`. */
function goBuild({ output, goPackage, kubernetes, onLine }: GoBuild): Promise<number> {
  const [major, minor] = kubernetes.slice(1).split('.');
  const stamp = (name: string, value: string): string => `-X k8s.io/component-base/version.${name}=${value}`;
  const ldflags = [
    '-s',
    '-w',
    stamp('gitVersion', kubernetes),
    stamp('gitMajor', major ?? ''),
    stamp('gitMinor', minor ?? ''),
  ];
  const args = ['build', '-v', '-trimpath', '-ldflags', ldflags.join(' '), '-o', output, goPackage];
  const environment = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' };
  return new Promise((resolve, reject) => {
    const go = spawn('go', args, { cwd: BINARIES_MODULE, env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
    createInterface({ input: go.stderr }).on('line', onLine);
    go.once('error', reject);
    go.once('close', (code) => resolve(code ?? 1));
  });
}
