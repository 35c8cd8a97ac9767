import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { pause } from '../pause.ts';
import { identityOf, type ProcessIdentity } from '../processes/identity.ts';
import { lastLines } from '../processes/last-lines.ts';
import type { Ledger } from '../processes/ledger.ts';
import { signalProcess } from '../processes/stop-process.ts';
import { systemPath } from '../processes/system-path.ts';

export interface ComponentSpec {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly logPath: string;
  /** Where it listens. */
  readonly address: string;
  readonly stopOrder: number;
  readonly stopGraceMs: number;
  readonly startTimeoutMs: number;
  readonly isHealthy: () => Promise<boolean>;
}

/** A component died or never became healthy; the message ends with its last words. */
export class ComponentError extends Error {
  override readonly name = 'ComponentError';
  /** Somebody else took a port between our look and its bind: try again with other ports. */
  readonly lostPort: boolean;

  constructor(message: string, { lostPort }: { lostPort: boolean }) {
    super(message);
    this.lostPort = lostPort;
  }
}

/** One program of a control plane: started, healthy, stopped or killed, and started again on the same port. */
export class Component {
  readonly name: string;
  readonly address: string;
  readonly logPath: string;
  readonly #spec: ComponentSpec;
  readonly #ledger: Ledger;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(spec: ComponentSpec, ledger: Ledger) {
    this.name = spec.name;
    this.address = spec.address;
    this.logPath = spec.logPath;
    this.#spec = spec;
    this.#ledger = ledger;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  isHealthy(): Promise<boolean> {
    return this.#child === undefined ? Promise.resolve(false) : this.#spec.isHealthy();
  }

  /** Runs the program and returns when it is healthy. @throws ComponentError */
  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    this.#spawn();
    const deadlineMs = Date.now() + this.#spec.startTimeoutMs;
    while (!(await this.#spec.isHealthy())) {
      if (this.#child === undefined) throw this.#failure('ended while it was starting');
      if (Date.now() > deadlineMs)
        throw this.#failure(`was not healthy ${this.#spec.startTimeoutMs / 1000} s after its start`);
      await pause(50);
    }
  }

  /** SIGTERM, then SIGKILL after the component's grace. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** SIGKILL: a crash, as far as the others can tell. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGSTOP: it still has its connections and takes new ones, and answers nothing until thaw(). */
  freeze(): void {
    if (this.#child?.pid !== undefined) signalProcess(this.#child.pid, 'SIGSTOP');
  }

  /** Ends freeze(). */
  thaw(): void {
    if (this.#child?.pid !== undefined) signalProcess(this.#child.pid, 'SIGCONT');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    signalProcess(pid, signal);
    signalProcess(pid, 'SIGCONT'); // a frozen process hears only then
    const timer = setTimeout(() => signalProcess(pid, 'SIGKILL'), this.#spec.stopGraceMs);
    await this.#exited;
    clearTimeout(timer);
  }

  #spawn(): void {
    const { name, file, args, logPath, address, stopOrder, stopGraceMs } = this.#spec;
    const log = openSync(logPath, 'a', 0o600);
    // A session of its own: Ctrl-C at the terminal must not end the API server before its clients.
    const child = spawn(file, args, { detached: true, stdio: ['ignore', log, log], env: componentEnvironment() });
    closeSync(log);
    this.#child = child;
    const identity: ProcessIdentity | undefined = child.pid === undefined ? undefined : identityOf(child.pid);
    if (identity !== undefined) this.#ledger.note({ ...identity, name, address, stopOrder, graceMs: stopGraceMs });
    this.#exited = new Promise((resolve) => {
      const ended = (): void => {
        if (this.#child === child) this.#child = undefined;
        this.#ledger.forget(name);
        resolve();
      };
      child.once('exit', ended);
      child.once('error', ended);
    });
  }

  #failure(what: string): ComponentError {
    const words = lastLines(this.logPath, 8);
    const lostPort = words.includes('address already in use');
    return new ComponentError(`${this.name} ${what}. Its last lines (${this.logPath}):\n${words}`, { lostPort });
  }
}

/** Nothing of ours: a proxy or kubeconfig of the developer's shell must not steer a control plane. */
function componentEnvironment(): NodeJS.ProcessEnv {
  return { PATH: systemPath(), HOME: '/nonexistent' };
}
