import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient } from '../api/client.ts';
import type { Node } from '../api/objects.ts';
import type { Pod } from '../api/pod.ts';
import { Reflector } from '../api/reflector.ts';
import type { KeyPair } from '../cluster/certificates.ts';
import { eventually } from '../pause.ts';
import type { Ledger } from '../processes/ledger.ts';
import type { Progress } from '../progress.ts';
import { ConfigStore } from './config-store.ts';
import { EventRecorder } from './event-recorder.ts';
import type { ImageMap } from './image.ts';
import { KubeletServer, type LogLookup } from './kubelet-server.ts';
import { claimNetwork, type PodNetwork } from './loopback-network.ts';
import type { NodeContext } from './node-context.ts';
import { PodRunner } from './pod-runner.ts';
import { Registration } from './registration.ts';
import { type BackoffLimits, KUBELET_BACKOFF } from './restart-backoff.ts';

/** What a user of a cluster decides about its node. */
export interface ProcessNodeOptions {
  readonly images: ImageMap;
  /** Before the second restart of a crashing container; the kubelet's default is 10 s. */
  readonly restartBaseMs?: number;
}

/** What the cluster adds. */
export interface ProcessNodeInput extends ProcessNodeOptions {
  readonly name: string;
  readonly dir: string;
  readonly apiUrl: string;
  readonly clientCaPem: string;
  readonly identity: KeyPair;
  readonly serving: KeyPair;
  readonly ledger: Ledger;
  readonly progress: Progress;
}

const HOST_IP = '127.0.0.1';
const READY_TIMEOUT_MS = 30_000;
/** When the lab goes down a pod has this long, whatever its own grace says. */
const SHUTDOWN_GRACE_MS = 5_000;

/** A Kubernetes node without containers: it runs the pods bound to it as processes of this machine. */
export class ProcessNode {
  readonly name: string;
  readonly #client: ApiClient;
  readonly #config: ConfigStore;
  readonly #server: KubeletServer;
  readonly #network: PodNetwork;
  readonly #progress: Progress;
  readonly #pods = new Map<string, PodRunner>();
  readonly #watch: Reflector<Pod>;
  readonly #context: NodeContext;
  #registration: Registration | undefined;

  private constructor(input: ProcessNodeInput, network: PodNetwork) {
    this.name = input.name;
    this.#network = network;
    this.#progress = input.progress;
    const { certificatePem, keyPem } = input.identity;
    this.#client = new ApiClient({ url: input.apiUrl, caPem: input.clientCaPem, certificatePem, keyPem });
    this.#config = new ConfigStore(this.#client);
    this.#server = new KubeletServer({
      host: HOST_IP,
      serving: input.serving,
      clientCaPem: input.clientCaPem,
      logOf: (wanted) => this.#logOf(wanted),
    });
    this.#watch = new Reflector<Pod>({
      client: this.#client,
      path: '/api/v1/pods',
      query: `fieldSelector=spec.nodeName%3D${input.name}`,
      onChange: (pod, change) => this.#podChanged(pod, change),
    });
    this.#context = this.#contextFrom(input);
  }

  /** Starts a node and returns when pods can be scheduled to it. */
  static async start(input: ProcessNodeInput): Promise<ProcessNode> {
    rmSync(input.dir, { recursive: true, force: true });
    mkdirSync(input.dir, { recursive: true, mode: 0o700 });
    const network = await claimNetwork(input.dir);
    if (network.limitation !== undefined) input.progress(`${input.name}: ${network.limitation}`);
    const node = new ProcessNode(input, network);
    await node.#start();
    return node;
  }

  /** Where pods get their addresses from: 127.<n>.0.0/16. */
  get podRange(): string {
    return this.#network.range;
  }

  /** Ends every pod's processes; their objects stay. */
  async stop(): Promise<void> {
    await this.#watch.stop();
    await Promise.all([...this.#pods.values()].map((pod) => pod.shutDown(SHUTDOWN_GRACE_MS)));
    await Promise.all([this.#registration?.stop(), this.#config.stop(), this.#server.stop()]);
    await this.#network.close();
    this.#client.close();
  }

  async #start(): Promise<void> {
    const kubeletPort = await this.#server.start();
    const { gitVersion } = await this.#client.get<{ gitVersion: string }>('/version');
    this.#registration = new Registration({
      client: this.#client,
      name: this.name,
      address: HOST_IP,
      kubeletPort,
      kubernetesVersion: gitVersion,
    });
    await Promise.all([this.#registration.start(), this.#config.start()]);
    this.#watch.start();
    await this.#watch.synced;
    if (!(await eventually(() => this.#isSchedulable(), { timeoutMs: READY_TIMEOUT_MS }))) {
      throw new Error(
        `Node ${this.name} is registered, but after 30 s the controller manager still keeps pods away from it.`,
      );
    }
  }

  /** The admission plugin taints a new node; the controller manager takes that back once it is Ready. */
  async #isSchedulable(): Promise<boolean> {
    const node = await this.#client.get<Node>(`/api/v1/nodes/${this.name}`);
    return (node.spec?.taints ?? []).length === 0;
  }

  #podChanged(pod: Pod, change: 'present' | 'gone'): void {
    const { uid } = pod.metadata;
    const known = this.#pods.get(uid);
    if (change === 'gone') return known?.objectGone();
    if (known !== undefined) return known.update(pod);
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return;
    const podIP = this.#network.take();
    const runner = new PodRunner(pod, podIP, this.#context);
    this.#pods.set(uid, runner);
    const problem = (error: unknown): void => this.#progress(`pod ${pod.metadata.name}: ${String(error)}`);
    void runner.done.catch(problem).then(() => {
      this.#pods.delete(uid);
      this.#network.release(podIP);
    });
  }

  #logOf({ namespace, name, container, previous }: Parameters<LogLookup>[0]): ReturnType<LogLookup> {
    const runner = [...this.#pods.values()].find(
      ({ pod }) => pod.metadata.name === name && pod.metadata.namespace === namespace,
    );
    if (runner === undefined) return `pod ${namespace}/${name} does not run on this node`;
    if (!runner.hasContainer(container)) return `container ${container} is not in pod ${name}`;
    const which = previous ? 'previous terminated container' : 'container';
    return runner.logOf(container, { previous }) ?? `${which} "${container}" in pod "${name}" not found`;
  }

  #contextFrom(input: ProcessNodeInput): NodeContext {
    const { hostname, port } = new URL(input.apiUrl);
    return {
      nodeName: input.name,
      hostIP: HOST_IP,
      podsFolder: join(input.dir, 'pods'),
      client: this.#client,
      apiServer: { host: hostname, port },
      images: input.images,
      backoff: { ...KUBELET_BACKOFF, baseMs: input.restartBaseMs ?? KUBELET_BACKOFF.baseMs } satisfies BackoffLimits,
      ledger: input.ledger,
      events: new EventRecorder(this.#client, input.name),
      sourcesOf: (namespace) => this.#config.sourcesOf(namespace),
      configChange: (namespace, timeoutMs, signal) => this.#config.change(namespace, timeoutMs, signal),
    };
  }
}
