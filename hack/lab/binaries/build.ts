import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BINARIES_MODULE } from '../paths.ts';
import { type Progress, reportIfSlow } from '../progress.ts';
import { PROGRAMS } from './programs.ts';
import { versions } from './versions.ts';

const REMEDY =
  'install Go 1.26 or newer with access to a module proxy, or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl';

/**
 * Builds all programs into `folder`: one file and five links, as main.go tells them apart by name.
 * The first time takes minutes; Go keeps what it has compiled, so an interrupted build goes on where it was.
 */
export async function build(folder: string, progress: Progress): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const { kubernetes } = versions();
  progress(
    `building the control plane ${kubernetes} with \`go build\`: about 6 minutes the first time, seconds afterwards`,
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
  const code = await reportIfSlow(progress, what, goBuild(join(folder, 'control-plane'), kubernetes, onLine));
  if (code !== 0) throw new Error(`go build failed; ${REMEDY}. Go said:\n${lines.slice(-8).join('\n')}`);
  for (const program of PROGRAMS) symlinkSync('control-plane', join(folder, program));
}

/** Runs Go; resolves with its exit code. Each line of what it says goes to `onLine`. */
function goBuild(output: string, kubernetes: string, onLine: (line: string) => void): Promise<number> {
  const [major, minor] = kubernetes.slice(1).split('.');
  const stamp = (name: string, value: string): string => `-X k8s.io/component-base/version.${name}=${value}`;
  const ldflags = [
    '-s',
    '-w',
    stamp('gitVersion', kubernetes),
    stamp('gitMajor', major ?? ''),
    stamp('gitMinor', minor ?? ''),
  ];
  const args = ['build', '-v', '-trimpath', '-ldflags', ldflags.join(' '), '-o', output, '.'];
  const environment = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' };
  return new Promise((resolve, reject) => {
    const go = spawn('go', args, { cwd: BINARIES_MODULE, env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
    createInterface({ input: go.stderr }).on('line', onLine);
    go.once('error', (cause) => reject(new Error(`Go could not be run; ${REMEDY}.`, { cause })));
    go.once('close', (code) => resolve(code ?? 1));
  });
}
