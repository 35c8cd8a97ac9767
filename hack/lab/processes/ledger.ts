import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeCgroup } from './cgroup.ts';
import type { ProcessIdentity } from './identity.ts';
import { stopProcess } from './stop-process.ts';

/** Which container of which pod a process is. */
export interface PodProcess {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  readonly podIP: string;
}

/** One process that somebody must stop one day, even if the one who started it was killed. */
export interface ProcessRecord extends ProcessIdentity {
  readonly name: string;
  /** Lower numbers stop first: pods, then their control plane, the API server before its etcd. */
  readonly stopOrder: number;
  readonly graceMs: number;
  readonly address?: string;
  readonly pod?: PodProcess;
}

const CGROUP_SUFFIX = '.cgroup';

/** A folder with one file per running process and per control group. Every process in it leads its own process group. */
export class Ledger {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  note(record: ProcessRecord): void {
    const file = this.#file(record.name);
    writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  forget(name: string): void {
    rmSync(this.#file(name), { force: true });
  }

  /** A control group outlives its processes: whoever stops them removes it. */
  noteCgroup(name: string): void {
    writeFileSync(join(this.#folder, `${name}${CGROUP_SUFFIX}`), '', { mode: 0o600 });
  }

  forgetCgroup(name: string): void {
    rmSync(join(this.#folder, `${name}${CGROUP_SUFFIX}`), { force: true });
  }

  read(): ProcessRecord[] {
    return readLedger(this.#folder);
  }

  #file(name: string): string {
    return join(this.#folder, `${encodeURIComponent(name)}.json`);
  }
}

/** The records in `folder`, in the order in which they are to be stopped; none if there is no such folder. */
export function readLedger(folder: string): ProcessRecord[] {
  const names = namesIn(folder).filter((name) => name.endsWith('.json'));
  const records = names.flatMap((name) => recordIn(join(folder, name)) ?? []);
  return records.sort((a, b) => a.stopOrder - b.stopOrder);
}

/** Stops every process that `folder` names, those of one order together, then removes its control groups. */
export async function stopRecorded(folder: string): Promise<number> {
  const records = readLedger(folder);
  for (const order of new Set(records.map((record) => record.stopOrder))) {
    const batch = records.filter((record) => record.stopOrder === order);
    await Promise.all(batch.map((record) => stopProcess(record, { graceMs: record.graceMs, group: true })));
  }
  for (const record of records) rmSync(join(folder, `${encodeURIComponent(record.name)}.json`), { force: true });
  await removeCgroups(folder);
  return records.length;
}

async function removeCgroups(folder: string): Promise<void> {
  for (const file of namesIn(folder).filter((name) => name.endsWith(CGROUP_SUFFIX))) {
    const cgroup = file.slice(0, -CGROUP_SUFFIX.length);
    if (!(await removeCgroup(cgroup)))
      throw new Error(`The control group ${cgroup} could not be removed: a process is left in it.`);
    rmSync(join(folder, file), { force: true });
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // never started
  }
}

function recordIn(file: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord;
  } catch {
    return undefined; // removed between the listing and the reading
  }
}
