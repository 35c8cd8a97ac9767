import { join } from 'node:path';
import type { Container, ContainerState, ContainerStatus, Pod, RestartPolicy } from '../api/pod.ts';
import { pause } from '../pause.ts';
import { ConfigError } from './config-error.ts';
import { ContainerLog } from './container-log.ts';
import { ContainerProcess, type Exit } from './container-process.ts';
import type { PodFacts } from './downward.ts';
import { environmentOf } from './environment.ts';
import { programFor } from './image.ts';
import { givenEnvironment, isRestarted, type Launch, launchOf } from './launch.ts';
import { mountVolumes } from './mounts.ts';
import type { NodeContext } from './node-context.ts';
import { execute } from './probe-check.ts';
import { probeContainer } from './probe-loop.ts';
import { RestartBackoff } from './restart-backoff.ts';

/** What a container needs of its pod. */
export interface ContainerHost {
  readonly context: NodeContext;
  readonly folder: string;
  readonly restartPolicy: RestartPolicy;
  readonly pod: Pod;
  facts(): PodFacts;
  volumeFolder(volume: string): string;
  /** How long a stop may take now. */
  graceMs(): number;
  /** The status has changed. */
  changed(): void;
}

const CONFIG_RETRY_MS = 2_000;
const IMAGE_RETRY_MS = 2_000;

/** Keeps one container of a pod running, and knows its status. */
export class ContainerRunner {
  readonly #container: Container;
  readonly #host: ContainerHost;
  readonly #backoff: RestartBackoff;
  readonly #root: string;
  #state: ContainerState;
  #lastState: ContainerState = {};
  #restartCount: number;
  #isReady = false;
  #isStarted = false;
  #process: ContainerProcess | undefined;
  #log: ContainerLog | undefined;
  #previousLog: ContainerLog | undefined;

  constructor(container: Container, host: ContainerHost, waitingFor: 'ContainerCreating' | 'PodInitializing') {
    this.#container = container;
    this.#host = host;
    this.#backoff = new RestartBackoff(host.context.backoff);
    this.#root = join(host.folder, 'containers', container.name, 'root');
    this.#state = { waiting: { reason: waitingFor } };
    // The pod ran before this node process did: whatever ran then is gone, so this run is one more.
    const before = [...(host.pod.status?.containerStatuses ?? []), ...(host.pod.status?.initContainerStatuses ?? [])];
    const known = before.find(({ name, containerID }) => name === container.name && containerID !== undefined);
    this.#restartCount = known === undefined ? 0 : known.restartCount + 1;
  }

  get name(): string {
    return this.#container.name;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** The output of this run, or of the one before. */
  log({ previous }: { previous: boolean }): ContainerLog | undefined {
    return previous ? this.#previousLog : this.#log;
  }

  status(): ContainerStatus {
    return {
      name: this.#container.name,
      image: this.#container.image ?? '',
      imageID: this.#process === undefined ? '' : `process://${this.#container.image}`,
      ...(this.#process !== undefined && { containerID: `process://${this.#process.pid}` }),
      ready: this.#isReady,
      started: this.#isStarted,
      restartCount: this.#restartCount,
      state: this.#state,
      lastState: this.#lastState,
    };
  }

  /** Runs the container, again and again as its policy says. Returns its last exit code; undefined when `signal` ended it before it ran. */
  async run(policy: RestartPolicy, signal: AbortSignal): Promise<number | undefined> {
    let exitCode: number | undefined;
    while (!signal.aborted) {
      const launch = await this.#prepare(signal);
      if (launch === undefined) break;
      const startedMs = Date.now();
      const exit = await this.#runOnce(launch, signal);
      exitCode = exit.exitCode;
      if (signal.aborted || !isRestarted(policy, exitCode)) break;
      await this.#waitForRestart(Date.now() - startedMs, signal);
      this.#restartCount++;
    }
    return exitCode;
  }

  /** Waits until the container can be started: its image is known, all it refers to is there. Undefined on abort. */
  async #prepare(signal: AbortSignal): Promise<Launch | undefined> {
    const { context, pod } = this.#host;
    const image = this.#container.image ?? '';
    const program = programFor(image, context.images);
    if (program === undefined) return this.#refuseImage(image, signal);
    while (!signal.aborted) {
      try {
        const given = givenEnvironment(this.#root, pod.metadata.name, context.apiServer);
        const sources = context.sourcesOf(pod.metadata.namespace ?? '');
        const variables = environmentOf(this.#container, this.#host.facts(), sources, given);
        mountVolumes(this.#root, this.#container, (volume) => this.#host.volumeFolder(volume));
        return launchOf(this.#container, program, variables);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#wait(error instanceof ConfigError ? 'CreateContainerConfigError' : 'CreateContainerError', why);
        context.events.record(pod, 'Warning', 'Failed', `Error: ${why}`);
        await context.configChange(pod.metadata.namespace ?? '', CONFIG_RETRY_MS, signal);
      }
    }
    return undefined;
  }

  /** Images come from nowhere here: one that is not mapped will never be there. */
  async #refuseImage(image: string, signal: AbortSignal): Promise<undefined> {
    const { context, pod } = this.#host;
    const known = Object.keys(context.images).join(', ');
    const message = `The process node has no program for image "${image}"; it has ${known || 'none'}`;
    context.events.record(pod, 'Warning', 'Failed', message);
    this.#wait('ErrImagePull', message);
    await pause(IMAGE_RETRY_MS, signal);
    this.#wait('ImagePullBackOff', message);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    return undefined;
  }

  async #runOnce(launch: Launch, signal: AbortSignal): Promise<Exit> {
    const { context, pod } = this.#host;
    const facts = this.#host.facts();
    const logPath = join(this.#host.folder, 'containers', this.name, `${this.#restartCount}.log`);
    this.#previousLog = this.#log;
    this.#log = new ContainerLog(logPath);
    const { name, namespace = '', uid } = pod.metadata;
    const owner = { namespace, pod: name, uid, container: this.name, podIP: facts.podIP };
    const running = new ContainerProcess(launch, this.#root, this.#log, context.ledger, owner);
    this.#process = running;
    this.#state = { running: { startedAt: running.startedAt } };
    this.#host.changed();
    context.events.record(pod, 'Normal', 'Started', `Started container ${this.name}, process ${running.pid}`);
    const ended = new AbortController();
    const stop = (): void => void this.#stop(launch, running);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const probes = this.#probe(launch, running, ended.signal);
    const exit = await running.exited;
    ended.abort();
    signal.removeEventListener('abort', stop);
    await probes;
    this.#noteExit(running, exit);
    return exit;
  }

  #probe(launch: Launch, running: ContainerProcess, signal: AbortSignal): Promise<void> {
    const { context, pod } = this.#host;
    const target = {
      container: this.#container,
      podIP: this.#host.facts().podIP,
      environment: launch.environment,
      folder: this.#root,
    };
    const listener = {
      started: (): void => {
        this.#isStarted = true;
        this.#host.changed();
      },
      ready: (isReady: boolean): void => {
        if (this.#isReady === isReady) return;
        this.#isReady = isReady;
        this.#host.changed();
      },
      failed: (probe: string): void => {
        const message = `Container ${this.name} failed ${probe.toLowerCase()} probe, will be restarted`;
        context.events.record(pod, 'Normal', 'Killing', message);
        void this.#stop(launch, running); // its end is seen by #runOnce
      },
      unhealthy: (probe: string, problem: string): void =>
        context.events.record(pod, 'Warning', 'Unhealthy', `${probe} probe failed: ${problem}`),
    };
    return probeContainer(target, listener, signal);
  }

  /** preStop, SIGTERM, SIGKILL: all within one grace period. */
  async #stop(launch: Launch, running: ContainerProcess): Promise<void> {
    const graceMs = this.#host.graceMs();
    const deadlineMs = Date.now() + graceMs;
    const { exec, sleep } = this.#container.lifecycle?.preStop ?? {};
    const target = { container: this.#container, podIP: '', environment: launch.environment, folder: this.#root };
    if (exec) await execute(exec, target, graceMs);
    if (sleep) await Promise.race([pause(Math.min(sleep.seconds * 1000, graceMs)), running.exited]);
    await running.stop(Math.max(deadlineMs - Date.now(), 0));
  }

  #noteExit(running: ContainerProcess, { exitCode, signal }: Exit): void {
    this.#isReady = false;
    this.#isStarted = false;
    this.#state = {
      terminated: {
        exitCode,
        ...(signal !== undefined && { signal }),
        reason: exitCode === 0 ? 'Completed' : 'Error',
        startedAt: running.startedAt,
        finishedAt: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
        containerID: `process://${running.pid}`,
      },
    };
    this.#host.changed();
  }

  async #waitForRestart(ranMs: number, signal: AbortSignal): Promise<void> {
    const { context, pod } = this.#host;
    const delayMs = this.#backoff.delayMs(ranMs);
    this.#lastState = this.#state;
    if (delayMs === 0) return;
    const message = `back-off ${delayMs / 1000}s restarting failed container=${this.name} pod=${pod.metadata.name}`;
    this.#wait('CrashLoopBackOff', message);
    context.events.record(pod, 'Warning', 'BackOff', `Back-off restarting failed container ${this.name}`);
    await pause(delayMs, signal);
  }

  #wait(reason: string, message: string): void {
    this.#state = { waiting: { reason, message } };
    this.#host.changed();
  }
}
