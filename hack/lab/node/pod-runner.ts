import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isStatus, STRATEGIC_MERGE } from '../api/client.ts';
import type { Container, Pod } from '../api/pod.ts';
import { pause } from '../pause.ts';
import { ConfigError } from './config-error.ts';
import type { ContainerLog } from './container-log.ts';
import { type ContainerHost, ContainerRunner } from './container-runner.ts';
import type { PodFacts } from './downward.ts';
import type { NodeContext } from './node-context.ts';
import { podStatus, showsAlready } from './pod-status.ts';
import { PodVolumes } from './pod-volumes.ts';

/** Objects are re-read into volumes on every change, and this often for tokens that expire. */
const VOLUME_REFRESH_MS = 10_000;
const RETRY_MS = 1_000;
/** A pod whose object was removed by force gets this long. */
const FORCED_GRACE_MS = 1_000;

/**
 * One pod's life on this node:
 *
 *   volumes ready → init containers, one after the other → all containers → (deletion) stop, report, delete the object
 */
export class PodRunner {
  readonly podIP: string;
  /** Settles when nothing of the pod runs any more and its folder is gone. */
  readonly done: Promise<void>;
  readonly #context: NodeContext;
  readonly #folder: string;
  readonly #startTime: string;
  readonly #volumes: PodVolumes;
  readonly #initContainers: readonly ContainerRunner[];
  readonly #containers: readonly ContainerRunner[];
  readonly #ending = new AbortController();
  #pod: Pod;
  #graceMs: number | undefined;
  #isObjectGone = false;
  #isDirty = false;
  #publishing: Promise<void> | undefined;

  constructor(pod: Pod, podIP: string, context: NodeContext) {
    this.#pod = pod;
    this.podIP = podIP;
    this.#context = context;
    this.#folder = join(context.podsFolder, pod.metadata.uid);
    this.#startTime = pod.status?.startTime ?? new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const facts = (): PodFacts => this.#facts();
    this.#volumes = new PodVolumes(context, join(this.#folder, 'volumes'), facts);
    const initContainers = pod.spec.initContainers ?? [];
    const runner = (waiting: 'ContainerCreating' | 'PodInitializing') => (container: Container) =>
      new ContainerRunner(container, this.#host(), waiting);
    this.#initContainers = initContainers.map(runner('PodInitializing'));
    this.#containers = pod.spec.containers.map(
      runner(initContainers.length > 0 ? 'PodInitializing' : 'ContainerCreating'),
    );
    this.done = this.#live();
    this.update(pod);
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** The object has changed: it may be marked for deletion, or somebody else wrote our status. */
  update(pod: Pod): void {
    this.#pod = pod;
    if (pod.metadata.deletionTimestamp !== undefined) this.#end(graceOf(pod));
    this.#changed();
  }

  /** The object is gone: nobody waits for our report. */
  objectGone(): void {
    this.#isObjectGone = true;
    this.#end(FORCED_GRACE_MS);
  }

  /** The node goes away: the processes end, the object stays as it is. */
  async shutDown(graceMs: number): Promise<void> {
    this.#isObjectGone = true;
    this.#end(Math.min(graceMs, graceOf(this.#pod)));
    await this.done;
  }

  logOf(container: string, which: { previous: boolean }): ContainerLog | undefined {
    return this.#named(container)?.log(which);
  }

  hasContainer(container: string): boolean {
    return this.#named(container) !== undefined;
  }

  #named(name: string): ContainerRunner | undefined {
    return [...this.#containers, ...this.#initContainers].find((runner) => runner.name === name);
  }

  #end(graceMs: number): void {
    this.#graceMs = Math.min(this.#graceMs ?? graceMs, graceMs);
    this.#ending.abort();
  }

  async #live(): Promise<void> {
    const { signal } = this.#ending;
    try {
      if (await this.#mountVolumes(signal)) {
        const refreshing = this.#keepVolumes(signal);
        await this.#runContainers(signal);
        this.#changed();
        await refreshing;
      }
      await this.#publishing;
      if (!this.#isObjectGone) await this.#deleteObject();
    } finally {
      rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  /** False if the pod ended before everything it mounts was there. */
  async #mountVolumes(signal: AbortSignal): Promise<boolean> {
    const { events } = this.#context;
    const { namespace = '' } = this.#pod.metadata;
    while (!signal.aborted) {
      try {
        await this.#volumes.refresh();
        return true;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        events.record(this.#pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed: ${why}`);
        if (error instanceof ConfigError) await this.#context.configChange(namespace, RETRY_MS, signal);
        else await pause(RETRY_MS, signal);
      }
    }
    return false;
  }

  async #runContainers(signal: AbortSignal): Promise<void> {
    const policy = this.#pod.spec.restartPolicy ?? 'Always';
    for (const container of this.#initContainers) {
      const exitCode = await container.run(policy === 'Never' ? 'Never' : 'OnFailure', signal);
      if (exitCode !== 0) return;
    }
    await Promise.all(this.#containers.map((container) => container.run(policy, signal)));
  }

  /** Files follow their objects until the pod ends. What is missing now stays as it was. */
  async #keepVolumes(signal: AbortSignal): Promise<void> {
    const { namespace = '' } = this.#pod.metadata;
    while (!signal.aborted) {
      await this.#context.configChange(namespace, VOLUME_REFRESH_MS, signal);
      try {
        if (!signal.aborted) await this.#volumes.refresh();
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#context.events.record(this.#pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed: ${why}`);
      }
    }
  }

  #changed(): void {
    this.#isDirty = true;
    this.#publishing ??= this.#publish().finally(() => {
      this.#publishing = undefined;
    });
  }

  /** Writes the status until the API server shows it; nothing is written that it shows already. */
  async #publish(): Promise<void> {
    await Promise.resolve(); // what changes in the same turn goes into the same patch
    while (this.#isDirty && !this.#isObjectGone) {
      this.#isDirty = false;
      const status = this.#status();
      if (showsAlready(this.#pod.status, status)) continue;
      const { name, namespace, uid } = this.#pod.metadata;
      const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
      try {
        const body = { metadata: { uid }, status };
        this.#pod = await this.#context.client.call({ method: 'PATCH', path, body, contentType: STRATEGIC_MERGE });
      } catch (error) {
        if (isStatus(error, 404) || isStatus(error, 409)) return; // removed, or another pod of the same name
        this.#isDirty = true;
        await pause(RETRY_MS);
      }
    }
  }

  #status(): ReturnType<typeof podStatus> {
    return podStatus({
      pod: this.#pod,
      podIP: this.podIP,
      hostIP: this.#context.hostIP,
      startTime: this.#startTime,
      initContainers: this.#initContainers.map((container) => container.status()),
      containers: this.#containers.map((container) => container.status()),
      now: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    });
  }

  /** A pod that completed stays until somebody deletes it. */
  async #deleteObject(): Promise<void> {
    if (!this.#ending.signal.aborted) {
      await new Promise<void>((resolve) =>
        this.#ending.signal.addEventListener('abort', () => resolve(), { once: true }),
      );
    }
    const { name, namespace, uid } = this.#pod.metadata;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    while (!this.#isObjectGone) {
      try {
        await this.#context.client.call({
          method: 'DELETE',
          path,
          body: { gracePeriodSeconds: 0, preconditions: { uid } },
        });
        return;
      } catch (error) {
        if (isStatus(error, 404) || isStatus(error, 409)) return;
        await pause(RETRY_MS);
      }
    }
  }

  #facts(): PodFacts {
    const { hostIP, nodeName } = this.#context;
    return { pod: this.#pod, podIP: this.podIP, hostIP, nodeName };
  }

  #host(): ContainerHost {
    return {
      context: this.#context,
      folder: this.#folder,
      restartPolicy: this.#pod.spec.restartPolicy ?? 'Always',
      pod: this.#pod,
      facts: () => this.#facts(),
      volumeFolder: (volume) => this.#volumes.folderOf(volume),
      graceMs: () => this.#graceMs ?? graceOf(this.#pod),
      changed: () => this.#changed(),
    };
  }
}

/** How long a pod's containers may take to stop. */
function graceOf({ metadata, spec }: Pod): number {
  return (metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30) * 1000;
}
