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
    if (hierarchy === ROOT) passOnControllers(hierarchy);
    mkdirSync(folder, { recursive: true });
    copyCpus(hierarchy, folder);
  }
}

/** Version 1: no process can enter a group before these are set. */
function copyCpus(from: string, to: string): void {
  if (isVersion2(from)) return;
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (existsSync(join(to, file))) writeFileSync(join(to, file), readFileSync(join(from, file)));
  }
}

/** Version 2: a group has the controllers that the one above passes on, and the kubelet wants these. */
function passOnControllers(folder: string): void {
  const present = readFileSync(join(folder, 'cgroup.controllers'), 'utf8').trim().split(' ');
  for (const controller of ['cpu', 'cpuset', 'memory', 'pids', 'io', 'hugetlb'].filter((name) =>
    present.includes(name),
  ))
    writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`);
}

/** Removes it with everything below, once its processes are gone. Whether that happened in time. */
export function removeCgroup(name: string): Promise<boolean> {
  const folders = hierarchies().map((hierarchy) => join(hierarchy, name));
  const areGone = (): boolean => folders.map(removeTree).every(Boolean);
  return eventually(areGone, { timeoutMs: REMOVAL_TIMEOUT_MS });
}

/** Version 2 has one hierarchy, version 1 one for each set of controllers, and perhaps one of version 2 without any. */
function hierarchies(): string[] {
  if (isVersion2(ROOT)) return [ROOT];
  const folders = readdirSync(ROOT).map((name) => join(ROOT, name));
  return folders.filter((folder) => lstatSync(folder).isDirectory());
}

function isVersion2(folder: string): boolean {
  return existsSync(join(folder, 'cgroup.controllers'));
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
