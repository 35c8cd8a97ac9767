import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { lastLines } from '../lab/processes/last-lines.ts';
import type { Call, Methods, Reply } from './serve.ts';

const CALL_TIMEOUT_MS = 30_000;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A process of ours that does one job of a bench or a fault run, so that nobody measures his own work. */
export class Worker<M extends Methods> {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #isStopped = false;

  private constructor(name: string, child: ChildProcess, logPath: string) {
    this.#name = name;
    this.#child = child;
    child.on('message', ({ id, result, error }: Reply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`${name}: ${error}`));
    });
    child.once('exit', () => this.#fail(`the process ended: ${lastLines(logPath, 20)}`));
    child.on('error', (error) => this.#fail(error.message));
  }

  /** Runs a bundled script; what it prints goes to a file beside it. `environment`: besides ours. */
  static start<M extends Methods>(
    script: string,
    name = basename(script, '.js'),
    environment: NodeJS.ProcessEnv = {},
  ): Worker<M> {
    const logPath = join(dirname(script), `${name}.log`);
    const log = openSync(logPath, 'a');
    const child = fork(script, {
      stdio: ['ignore', log, log, 'ipc'],
      serialization: 'advanced',
      execArgv: [],
      env: { ...process.env, ...environment },
    });
    closeSync(log);
    return new Worker<M>(name, child, logPath);
  }

  /** It ended by itself. */
  get hasCrashed(): boolean {
    return !this.#isStopped && (this.#child.exitCode !== null || this.#child.signalCode !== null);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @throws Error with the worker's words, or when it does not answer in time */
  call<K extends keyof M & string>(
    method: K,
    argument: Parameters<M[K]>[0],
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<Awaited<ReturnType<M[K]>>> {
    this.#calls += 1;
    const id = this.#calls;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${this.#name}: ${method} took longer than ${timeoutMs / 1000} s`));
      }, timeoutMs);
      const settled = <T>(settle: (outcome: T) => void) => {
        return (outcome: T) => {
          clearTimeout(timer);
          settle(outcome);
        };
      };
      this.#waiting.set(id, { resolve: settled(resolve as (result: unknown) => void), reject: settled(reject) });
      const call: Call = { id, method, argument };
      this.#child.send(call);
    });
  }

  /** Without a goodbye. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#isStopped = true;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  #fail(reason: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(`${this.#name}: ${reason}`));
    this.#waiting.clear();
  }
}
