import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from './binaries/build.ts';
import { download, downloadRefusal } from './binaries/download.ts';
import { find, ownFolder } from './binaries/locate.ts';
import {
  type Binaries,
  CONTROL_PLANE,
  HELM,
  type HelmBinaries,
  NODE,
  type NodeBinaries,
  type ProgramFiles,
  type ProgramSet,
} from './binaries/programs.ts';
import { etcdVersion, versionOf } from './binaries/versions.ts';
import { cacheFolder } from './paths.ts';
import { withLock } from './processes/lock.ts';
import { type Progress, silent } from './progress.ts';

export { findBinaries } from './binaries/locate.ts';
export type { Binaries, NodeBinaries } from './binaries/programs.ts';

/**
 * The control plane's programs: found, else downloaded, else built. Says which source it took.
 * @throws Error with one sentence that names the remedy
 */
export function ensureBinaries({ progress = silent }: { progress?: Progress } = {}): Promise<Binaries> {
  return ensure(CONTROL_PLANE, progress);
}

/** The same for kubelet and kube-proxy: only a lab with real nodes asks for them. */
export function ensureNodeBinaries({ progress = silent }: { progress?: Progress } = {}): Promise<NodeBinaries> {
  return ensure(NODE, progress);
}

/** The same for Helm: only the tests of clients ask for it. */
export function ensureHelm({ progress = silent }: { progress?: Progress } = {}): Promise<HelmBinaries> {
  return ensure(HELM, progress);
}

async function ensure<Name extends string>(set: ProgramSet<Name>, progress: Progress): Promise<ProgramFiles<Name>> {
  const announced = (binaries: ProgramFiles<Name>): ProgramFiles<Name> => {
    progress(`${set.what} from ${binaries.source}`);
    return binaries;
  };
  const found = find(set);
  if ('files' in found) return announced(found);
  return withLock(join(cacheFolder(), 'lock'), 'prepares the binaries', progress, async () => {
    const meanwhile = find(set);
    if ('files' in meanwhile) return announced(meanwhile);
    await obtain(set, progress);
    const binaries = find(set);
    if ('files' in binaries) return announced(binaries);
    throw new Error(binaries.reason);
  });
}

/** Fills our cache: a folder is complete or not there, as it appears by one rename. */
async function obtain(set: ProgramSet<string>, progress: Progress): Promise<void> {
  const target = ownFolder(set);
  removeUnfinished(target);
  const fresh = `${target}.${randomBytes(4).toString('hex')}`;
  try {
    if (!(await isDownloaded(set, fresh, progress))) await build(set, fresh, progress);
    rmSync(target, { recursive: true, force: true });
    renameSync(fresh, target);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** What a killed process left; whoever holds the lock is alone here. */
function removeUnfinished(target: string): void {
  const folder = dirname(target);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${basename(target)}.`)) rmSync(join(folder, name), { recursive: true });
  }
}

async function isDownloaded(set: ProgramSet<string>, folder: string, progress: Progress): Promise<boolean> {
  const refusal = downloadRefusal();
  if (refusal !== undefined) {
    progress(`not downloading: ${refusal}`);
    return false;
  }
  const partial = join(cacheFolder(), `partial-${set.key}-${versionOf(set)}-${etcdVersion()}`);
  try {
    await download(set, folder, partial, progress);
    rmSync(partial, { recursive: true, force: true });
    return true;
  } catch (error) {
    progress(`not downloaded: ${error instanceof Error ? error.message : String(error)}`);
    rmSync(folder, { recursive: true, force: true });
    removeIfEmpty(partial);
    return false;
  }
}

/** Half a download stays for the next try. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // not empty
  }
}
