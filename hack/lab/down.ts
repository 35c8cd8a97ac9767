import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LEDGER_FOLDER } from './cluster/cluster.ts';
import { isAlive } from './processes/identity.ts';
import { stopRecorded } from './processes/ledger.ts';
import { stopProcess } from './processes/stop-process.ts';
import { type Progress, reportIfSlow } from './progress.ts';
import { readState } from './state.ts';

/** An orderly stop takes about as long as the slowest pod: its grace, then the programs one after the other. */
const SUPERVISOR_GRACE_MS = 45_000;

/** Ends the lab in `folder`, also one whose supervisor was killed, and removes the folder. Returns whether there was one. */
export async function takeDown(folder: string, progress: Progress): Promise<boolean> {
  const state = readState(folder);
  if (state !== undefined && isAlive(state.supervisor)) {
    const stopping = stopProcess(state.supervisor, { graceMs: SUPERVISOR_GRACE_MS, group: false });
    await reportIfSlow(progress, `stopping lab ${state.name}`, stopping);
  }
  const names = clusterFolders(folder);
  const swept = await Promise.all(names.map((name) => stopRecorded(join(folder, name, LEDGER_FOLDER))));
  const left = swept.reduce((sum, count) => sum + count, 0);
  if (left > 0) progress(`stopped ${left} processes that the supervisor had left behind`);
  rmSync(folder, { recursive: true, force: true });
  return state !== undefined || names.length > 0;
}

function clusterFolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // no such lab
  }
}
