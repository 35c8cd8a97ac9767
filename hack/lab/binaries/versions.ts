import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BINARIES_MODULE } from '../paths.ts';

/** What the Go module asks for; it is the only place that names a version. */
export interface Versions {
  /** v1.36.3 */
  readonly kubernetes: string;
  /** v3.6.8 */
  readonly etcd: string;
  /** Of everything the program of this package depends on: names the folder in the cache. */
  readonly fingerprint: string;
}

export function versions(goPackage = '.'): Versions {
  const read = (name: string): string => readFileSync(join(BINARIES_MODULE, name), 'utf8');
  const hash = createHash('sha256');
  for (const name of ['go.mod', 'go.sum', join(goPackage, 'main.go')]) hash.update(`${name}\n${read(name)}\n`);
  const goMod = read('go.mod');
  return {
    kubernetes: required(goMod, 'k8s.io/kubernetes'),
    etcd: required(goMod, 'go.etcd.io/etcd/server/v3'),
    fingerprint: hash.digest('hex').slice(0, 12),
  };
}

/** The version that a go.mod file requires of `path`. */
export function required(goMod: string, path: string): string {
  const line = goMod.split('\n').find((candidate) => candidate.trim().startsWith(`${path} v`));
  const version = line?.trim().split(' ')[1];
  if (version === undefined) throw new Error(`go.mod requires no ${path}.`);
  return version;
}

/** As Go and the download sites name this machine: linux-amd64. */
export function platform(): { readonly os: string; readonly arch: string } {
  return { os: process.platform, arch: process.arch === 'x64' ? 'amd64' : process.arch };
}
