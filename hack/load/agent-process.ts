import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { AgentState } from '../../agent/agent.ts';
import { freePorts } from '../lab/cluster/ports.ts';
import { lastLines } from '../lab/processes/last-lines.ts';
import { until } from '../lab/until.ts';
import type { Call, Reply } from './serve.ts';

/** A full collection takes tenths of a second. */
const HEAP_MS = 20_000;

export interface AgentProcessOptions {
  /** The built program. */
  readonly program: string;
  /** For its files and its log; made if it is not there. */
  readonly folder: string;
  readonly tunnel: string;
  readonly gateway: { readonly url: string; readonly ca: string; readonly token: string };
  readonly upstream: { readonly url: string; readonly ca: string };
  /** Of its service account: what it shows to the API server. */
  readonly accountToken?: string;
  /** More flags. */
  readonly flags?: readonly string[];
  /** Built from workers/heap.ts: then it can be asked what its heap holds. */
  readonly heapProgram?: string;
}

/** `clustertunnel agent` in a process of its own, beside an API server that is ours to play. */
export class AgentProcess {
  readonly #child: ChildProcess;
  readonly #opsPort: number;
  readonly #logPath: string;
  #isStopped = false;
  /** However this process ends. */
  readonly #endWithUs = () => this.#child.kill('SIGKILL');

  private constructor(child: ChildProcess, opsPort: number, logPath: string) {
    this.#child = child;
    process.once('exit', this.#endWithUs);
    this.#opsPort = opsPort;
    this.#logPath = logPath;
  }

  /** Resolves when its probe port answers. */
  static async start(options: AgentProcessOptions): Promise<AgentProcess> {
    const { program, folder, tunnel, gateway, upstream, flags = [], heapProgram } = options;
    writePodFiles(options);
    const [opsPort = 0] = await freePorts(1);
    const logPath = join(folder, 'agent.log');
    const log = openSync(logPath, 'a');
    const { hostname, port } = new URL(upstream.url);
    const own = [
      '--gateway',
      gateway.url,
      '--tunnel',
      tunnel,
      '--bind-address',
      '127.0.0.1',
      '--ops-port',
      `${opsPort}`,
    ];
    const preload = heapProgram === undefined ? [] : ['--import', pathToFileURL(heapProgram).href];
    const child = spawn(process.execPath, [...preload, program, 'agent', ...own, ...flags], {
      env: {
        PATH: process.env['PATH'],
        CLUSTERTUNNEL_ROOT: folder,
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
      },
      stdio: ['ignore', log, log, ...(heapProgram === undefined ? [] : ['ipc' as const])],
      serialization: 'advanced',
    });
    closeSync(log);
    const agent = new AgentProcess(child, opsPort, logPath);
    try {
      await until("the agent's probe port", () => agent.#look());
      return agent;
    } catch (error) {
      await agent.kill();
      throw error;
    }
  }

  /** It ended by itself. */
  get hasCrashed(): boolean {
    return !this.#isStopped && (this.#child.exitCode !== null || this.#child.signalCode !== null);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The last lines it logged. */
  get log(): string {
    return lastLines(this.#logPath, 20);
  }

  /** /debug/state. @throws Error when it does not answer */
  async state(): Promise<AgentState> {
    return JSON.parse(await this.#get('/debug/state'));
  }

  /** /metrics, in Prometheus' text format. */
  metrics(): Promise<string> {
    return this.#get('/metrics');
  }

  /** What its heap holds after a full collection, in bytes. @throws Error unless it was started with `heapProgram` */
  async heldHeapBytes(): Promise<number> {
    const call: Call = { id: 1, method: 'heap', argument: undefined };
    const answered = once(this.#child, 'message', { signal: AbortSignal.timeout(HEAP_MS) });
    this.#child.send(call);
    const [{ result, error }] = (await answered) as [Reply];
    if (typeof result !== 'number') throw new Error(`the agent's heap: ${error}`);
    return result;
  }

  /** Resolves when it has a session. */
  async ready(): Promise<void> {
    await until('a session of the agent', async () => ((await this.state()).dial === 'ready' ? true : undefined));
  }

  /** Without a goodbye. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#isStopped = true;
    process.off('exit', this.#endWithUs);
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  async #look(): Promise<true | undefined> {
    if (this.#child.exitCode !== null) throw new Error(`the agent ended: ${this.log}`);
    try {
      await this.state();
      return true;
    } catch {
      return undefined; // not yet
    }
  }

  #get(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = request({ host: '127.0.0.1', port: this.#opsPort, path, timeout: 5_000 }, (response) => {
        text(response).then(resolve, reject);
      });
      call.once('timeout', () => call.destroy(new Error(`${path}: no answer within 5 s`)));
      call.once('error', reject);
      call.end();
    });
  }
}

/** What the kubelet would have mounted. */
function writePodFiles({ folder, gateway, upstream, accountToken = 'agent-token' }: AgentProcessOptions): void {
  const own = join(folder, 'var/run/clustertunnel');
  const account = join(folder, 'var/run/secrets/kubernetes.io/serviceaccount');
  for (const path of [own, account]) mkdirSync(path, { recursive: true, mode: 0o700 });
  writeFileSync(join(own, 'token'), gateway.token, { mode: 0o600 });
  writeFileSync(join(own, 'ca.crt'), gateway.ca);
  writeFileSync(join(account, 'token'), accountToken);
  writeFileSync(join(account, 'ca.crt'), upstream.ca);
}
