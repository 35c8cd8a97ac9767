import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pause } from '../pause.ts';
import { type Progress, reportIfSlow } from '../progress.ts';
import { identityOf, isAlive, type ProcessIdentity } from './identity.ts';

const LOOK_EVERY_MS = 250;

/** Runs `work` while no other process of this machine does so under the same lock file. `task` says what the holder does: "builds the binaries". */
export async function withLock<T>(path: string, task: string, progress: Progress, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const what = (): string => `process ${holderOf(path)?.pid ?? '?'} ${task}; waiting for it`;
  await reportIfSlow(progress, what, taken(path));
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

async function taken(path: string): Promise<void> {
  while (!take(path)) await pause(LOOK_EVERY_MS);
}

/** Takes the lock if it is free or its holder is dead. Who the holder is, is complete from the first moment: a link to a finished file. */
export function take(path: string, self: ProcessIdentity = currentProcess()): boolean {
  const mine = `${path}.${self.pid}`;
  writeFileSync(mine, JSON.stringify(self));
  try {
    if (link(mine, path)) return true;
    return removeStale(path, `${mine}.stale`) && link(mine, path);
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * Moves a dead holder's lock away. Two processes may see the same dead holder, and the slower one would move away the
 * faster one's new lock: so what was moved is looked at again, and a living holder's lock put back.
 */
function removeStale(path: string, aside: string): boolean {
  const holder = holderOf(path);
  if (holder === undefined || isAlive(holder)) return false;
  try {
    renameSync(path, aside);
  } catch {
    return false; // somebody was faster
  }
  const moved = holderOf(aside);
  const isStale = moved === undefined || !isAlive(moved);
  if (!isStale) link(aside, path);
  rmSync(aside, { force: true });
  return isStale;
}

function holderOf(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined; // released meanwhile
  }
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function currentProcess(): ProcessIdentity {
  return identityOf(process.pid) ?? { pid: process.pid, startedAt: 'unknown' };
}
