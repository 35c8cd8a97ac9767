import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { takeDown } from './down.ts';
import type { NodeKind } from './lab.ts';
import { REPOSITORY } from './paths.ts';
import { pause } from './pause.ts';
import { isAlive } from './processes/identity.ts';
import { withLock } from './processes/lock.ts';
import { type Progress, silent } from './progress.ts';
import { type LabState, readState } from './state.ts';

export interface UpOptions {
  readonly folder: string;
  readonly name: string;
  readonly targets: number;
  readonly nodes: NodeKind;
  readonly progress: Progress;
}

const SUPERVISOR = fileURLToPath(new URL('supervisor.ts', import.meta.url));

/** A lab that is ready: the one that runs, or a new one. @throws Error if it cannot start, or has other targets */
export async function bringUp(options: UpOptions): Promise<LabState> {
  const { folder, name, targets, nodes, progress } = options;
  return withLock(`${folder}.lock`, `starts lab ${name}`, progress, async () => {
    const running = readState(folder);
    if (running !== undefined && isAlive(running.supervisor)) {
      if (running.targets === targets && running.nodes === nodes)
        return untilReady(folder, running.supervisor.pid, running.phase === 'ready' ? silent : progress);
      throw new Error(
        `Lab ${name} runs with ${running.targets} targets on ${running.nodes} nodes: run \`npm run lab -- down --name ${name}\` first.`,
      );
    }
    await takeDown(folder, progress);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return untilReady(folder, startSupervisor(options), progress);
  });
}

/** Starts the process that outlives this one. */
function startSupervisor({ folder, name, targets, nodes }: UpOptions): number {
  const log = openSync(logPath(folder), 'a', 0o600);
  const args = ['--import', 'tsx', SUPERVISOR, folder, name, String(targets), nodes];
  const child = spawn(process.execPath, args, {
    cwd: REPOSITORY,
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  if (child.pid === undefined) throw new Error('The supervisor could not be started.');
  return child.pid;
}

/** Waits for the supervisor, passing on what it says meanwhile. */
async function untilReady(folder: string, pid: number, progress: Progress): Promise<LabState> {
  const log = logPath(folder);
  let saidBytes = 0;
  for (;;) {
    const said = existsSync(log) ? readFileSync(log) : Buffer.alloc(0);
    const state = readState(folder);
    const isOver = state?.phase === 'ready' || state?.phase === 'failed' || !isRunning(pid);
    const news = said.subarray(saidBytes).toString('utf8').split('\n');
    const rest = news.pop() ?? '';
    for (const line of news) progress(line);
    saidBytes = said.length - Buffer.byteLength(rest);
    if (state?.phase === 'ready') return state;
    if (isOver) throw new Error(`The lab did not start: ${state?.problem ?? `its supervisor died, see ${log}`}`);
    await pause(100);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function logPath(folder: string): string {
  return join(folder, 'supervisor.log');
}
