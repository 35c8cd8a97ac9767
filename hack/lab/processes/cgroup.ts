import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../pause.ts';

const ROOT = '/sys/fs/cgroup';
/** The kernel needs a moment to end a machine's processes. */
const REMOVAL_TIMEOUT_MS = 10_000;

/** Makes the control group `name` in every hierarchy of this system: pods are accounted below it. */
export function makeCgroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    const folder = join(hierarchy, name);
    mkdirSync(folder, { recursive: true });
    // Version 1: no process can enter before these are set.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const path = join(folder, file);
      if (existsSync(join(hierarchy, 'cgroup.controllers')) || !existsSync(path)) continue;
      writeFileSync(path, readFileSync(join(hierarchy, file)));
    }
  }
}

/** Removes it with everything below, once its processes are gone. Whether that happened in time. */
export function removeCgroup(name: string): Promise<boolean> {
  const folders = hierarchies().map((hierarchy) => join(hierarchy, name));
  const areGone = (): boolean => folders.map(removeTree).every(Boolean);
  return eventually(areGone, { timeoutMs: REMOVAL_TIMEOUT_MS });
}

/** Version 2 has one hierarchy, version 1 one for each set of controllers. */
function hierarchies(): string[] {
  if (existsSync(join(ROOT, 'cgroup.controllers'))) return [ROOT];
  const folders = readdirSync(ROOT).map((name) => join(ROOT, name));
  return folders.filter((folder) => lstatSync(folder).isDirectory());
}

/** Children first; a group with a process in it stays. */
function removeTree(folder: string): boolean {
  if (!existsSync(folder)) return true;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
