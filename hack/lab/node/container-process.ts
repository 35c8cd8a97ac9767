import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { pause } from '../pause.ts';
import { identityOf } from '../processes/identity.ts';
import type { Ledger, PodProcess } from '../processes/ledger.ts';
import { signalProcess } from '../processes/stop-process.ts';
import type { ContainerLog } from './container-log.ts';
import type { Launch } from './launch.ts';

/** How a process ended; killed by a signal counts as 128 + its number, as in a shell. */
export interface Exit {
  readonly exitCode: number;
  readonly signal?: number;
}

/** What the ledger's sweep allows a pod's process after the node is gone. */
const SWEEP_GRACE_MS = 2_000;
/** A grandchild that left the group may hold the pipe open; nobody waits for what it has to say. */
const OUTPUT_GRACE_MS = 1_000;

/** One run of a container: a process that leads its own group, recorded for as long as it lives. */
export class ContainerProcess {
  readonly startedAt = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  readonly startedMs = Date.now();
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;

  constructor(launch: Launch, folder: string, log: ContainerLog, ledger: Ledger, owner: PodProcess) {
    const child = spawn(launch.file, launch.args, {
      cwd: folder,
      env: launch.environment,
      detached: true, // a group of its own
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const name = `pod-${owner.uid}-${owner.container}`;
    const identity = child.pid === undefined ? undefined : identityOf(child.pid);
    if (identity !== undefined) ledger.note({ ...identity, name, stopOrder: 1, graceMs: SWEEP_GRACE_MS, pod: owner });
    const output = Promise.all([log.take(child.stdout), log.take(child.stderr)]);
    this.exited = new Promise<Exit>((resolve) => {
      child.once('error', (error) => {
        log.append(`${launch.file} could not be run: ${error.message}`);
        resolve({ exitCode: 128 });
      });
      child.once('exit', (code, signal) => resolve(exitOf(code, signal)));
    }).then(async (exit) => {
      if (child.pid !== undefined) signalProcess(-child.pid, 'SIGKILL'); // children it left in its group
      await Promise.race([output, pause(OUTPUT_GRACE_MS)]);
      log.close();
      ledger.forget(name);
      return exit;
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** SIGTERM to the process, SIGKILL to its group when the grace is over. */
  async stop(graceMs: number): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    signalProcess(pid, 'SIGTERM');
    const timer = setTimeout(() => signalProcess(-pid, 'SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(timer);
  }
}

function exitOf(code: number | null, signal: NodeJS.Signals | null): Exit {
  if (signal === null) return { exitCode: code ?? 1 };
  const number = constants.signals[signal];
  return { exitCode: 128 + number, signal: number };
}
