import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint } from '../../hack/lab/binaries/versions.ts';
import { cacheFolder, REPOSITORY } from '../../hack/lab/paths.ts';

const MODULE = join(REPOSITORY, 'hack/informer');
const PACKAGES = { informer: '.', once: './once' } as const;

/**
 * The path of a program of hack/informer, built if this version of it was not yet: seconds where the control plane was
 * built, half a minute elsewhere.
 */
export async function goProgram(name: keyof typeof PACKAGES): Promise<string> {
  const goPackage = PACKAGES[name];
  const file = join(cacheFolder(), `${name}-${fingerprint({ module: MODULE, goPackage })}`);
  if (existsSync(file)) return file;
  mkdirSync(cacheFolder(), { recursive: true });
  const environment = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' };
  const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', file, goPackage];
  const go = spawn('go', args, { cwd: MODULE, env: environment, stdio: 'inherit' });
  const [code] = (await once(go, 'close')) as [number | null];
  if (code !== 0) throw new Error(`go build of hack/informer ${goPackage} ended with ${code}`);
  return file;
}
