import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BINARIES_MODULE } from '../paths.ts';
import type { ProgramSet } from './programs.ts';

/** The version of a set's programs: v1.36.3 */
export function versionOf({ module, release }: Pick<ProgramSet<string>, 'module' | 'release'>): string {
  return required(readFileSync(join(module, 'go.mod'), 'utf8'), release);
}

/** Of etcd, which the control plane's module requires beside Kubernetes: v3.6.8 */
export function etcdVersion(): string {
  return versionOf({ module: BINARIES_MODULE, release: 'go.etcd.io/etcd/server/v3' });
}

/** Of everything that a set's programs depend on: names the folder in the cache. */
export function fingerprint({ module, goPackage }: Pick<ProgramSet<string>, 'module' | 'goPackage'>): string {
  const hash = createHash('sha256');
  const ours = goPackage.startsWith('.') ? [join(goPackage, 'main.go')] : [];
  for (const name of ['go.mod', 'go.sum', ...ours])
    hash.update(`${name}\n${readFileSync(join(module, name), 'utf8')}\n`);
  return hash.digest('hex').slice(0, 12);
}

/** The version that a go.mod file requires of `path`. */
export function required(goMod: string, path: string): string {
  const line = goMod
    .split('\n')
    .map((candidate) => candidate.trim().replace(/^require /, ''))
    .find((candidate) => candidate.startsWith(`${path} v`));
  const version = line?.split(' ')[1];
  if (version === undefined) throw new Error(`go.mod requires no ${path}.`);
  return version;
}

/** As Go and the download sites name this machine: linux-amd64. */
export function platform(): { readonly os: string; readonly arch: string } {
  return { os: process.platform, arch: process.arch === 'x64' ? 'amd64' : process.arch };
}
