import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';
import { type ApiClient, isStatus, STRATEGIC_MERGE } from '../api/client.ts';
import type { Node } from '../api/objects.ts';
import { pause } from '../pause.ts';

export interface RegistrationOptions {
  readonly client: ApiClient;
  readonly name: string;
  readonly address: string;
  readonly kubeletPort: number;
  readonly kubernetesVersion: string;
}

const HEARTBEAT_MS = 10_000;
const LEASE_SECONDS = 40;
const RETRY_MS = 1_000;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

/** The Node object: made, kept alive by a Lease, and told Ready again whenever the node controller gave up on it. */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** Registers the node; from then on its heart beats until stop(). */
  async start(): Promise<void> {
    await this.#register();
    await this.#renewLease();
    this.#running = this.#beat();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #beat(): Promise<void> {
    const { signal } = this.#stopping;
    let waitMs = HEARTBEAT_MS;
    while (!signal.aborted) {
      await pause(waitMs, signal);
      if (signal.aborted) return;
      try {
        await this.#renewLease();
        await this.#ensureReady();
        waitMs = HEARTBEAT_MS;
      } catch {
        waitMs = RETRY_MS; // the API server is away: beat as soon as it is back
      }
    }
  }

  async #register(): Promise<void> {
    const { client, name } = this.#options;
    const { os, machine } = { os: process.platform, machine: arch() === 'x64' ? 'amd64' : arch() };
    const labels = {
      'kubernetes.io/hostname': name,
      'kubernetes.io/os': os,
      'kubernetes.io/arch': machine,
      'clustertunnel.io/process-node': 'true',
    };
    const node = { metadata: { name, labels }, status: this.#status() };
    try {
      await client.call({ method: 'POST', path: '/api/v1/nodes', body: node });
    } catch (error) {
      if (!isStatus(error, 409)) throw error;
      await this.#writeStatus(); // it was registered by an earlier run
    }
  }

  async #ensureReady(): Promise<void> {
    const { client, name } = this.#options;
    try {
      const node = await client.get<Node>(`/api/v1/nodes/${name}`);
      const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
      if (ready?.status !== 'True') await this.#writeStatus();
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
      await this.#register();
    }
  }

  async #writeStatus(): Promise<void> {
    const { client, name } = this.#options;
    const path = `/api/v1/nodes/${name}/status`;
    await client.call({ method: 'PATCH', path, body: { status: this.#status() }, contentType: STRATEGIC_MERGE });
  }

  async #renewLease(): Promise<void> {
    const { client, name } = this.#options;
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    };
    const patch = {
      method: 'PATCH',
      path: `${LEASES}/${name}`,
      body: { spec },
      contentType: 'application/merge-patch+json',
    } as const;
    try {
      await client.call(patch);
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
      await client.call({ method: 'POST', path: LEASES, body: { metadata: { name }, spec } });
    }
  }

  #status(): object {
    const { address, kubeletPort, name, kubernetesVersion } = this.#options;
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const condition = (type: string, status: string, reason: string, message: string): object => {
      return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime: now };
    };
    const resources = { cpu: String(availableParallelism()), memory: String(totalmem()), pods: '110' };
    return {
      capacity: resources,
      allocatable: resources,
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
      conditions: [
        condition('MemoryPressure', 'False', 'Sufficient', 'not measured'),
        condition('DiskPressure', 'False', 'Sufficient', 'not measured'),
        condition('PIDPressure', 'False', 'Sufficient', 'not measured'),
        condition('Ready', 'True', 'ProcessNodeReady', 'pods run as processes of this machine'),
      ],
      nodeInfo: {
        architecture: arch() === 'x64' ? 'amd64' : arch(),
        operatingSystem: process.platform,
        kernelVersion: release(),
        osImage: `processes on ${hostname()}`,
        containerRuntimeVersion: 'process://0.1.0',
        kubeletVersion: kubernetesVersion,
        kubeProxyVersion: '',
        bootID: '',
        machineID: '',
        systemUUID: '',
      },
    };
  }
}
