import { eventually } from '../pause.ts';
import { isAlive, type ProcessIdentity } from './identity.ts';

export interface StopOptions {
  /** How long SIGTERM may take before SIGKILL. */
  readonly graceMs: number;
  /** The process leads a group of its own: the kill reaches all of it. */
  readonly group: boolean;
}

/** Ends one process: SIGTERM, and SIGKILL once the grace is over. Returns when it is gone. */
export async function stopProcess(identity: ProcessIdentity, { graceMs, group }: StopOptions): Promise<void> {
  if (!isAlive(identity)) return;
  signalProcess(identity.pid, 'SIGTERM');
  const isGone = (): boolean => !isAlive(identity);
  if (!(await eventually(isGone, { timeoutMs: graceMs, everyMs: 20 }))) {
    signalProcess(group ? -identity.pid : identity.pid, 'SIGKILL');
    await eventually(isGone, { timeoutMs: 5_000, everyMs: 20 });
  } else if (group) {
    signalProcess(-identity.pid, 'SIGKILL'); // what it left behind in its group
  }
}

/** Sends a signal to a process, or to a whole group by its negative number. One that is gone already is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
