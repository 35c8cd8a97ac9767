import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Binaries, ensureBinaries } from './binaries.ts';
import { type Cluster, startCluster } from './cluster/cluster.ts';
import { writeKubeconfig } from './cluster/kubeconfig.ts';
import { freePorts } from './cluster/ports.ts';
import { type KubectlOptions, type KubectlResult, kubectl } from './kubectl.ts';
import type { KubeletNodeOptions } from './kubelet-node/kubelet-node.ts';
import { prepareRealNodes } from './kubelet-node/real-nodes.ts';
import type { ImageMap } from './node/image.ts';
import { PROGRAM } from './paths.ts';
import { type Progress, silent } from './progress.ts';
import { ServiceForward } from './service-forward.ts';
import { createUsers, type LabUsers } from './users.ts';

export const NODE_KINDS = ['process', 'kubelet'] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

export interface LabOptions {
  /** Everything the lab owns; the caller removes it. */
  readonly dir: string;
  /** How many clusters beside the hub. */
  readonly targets: number;
  /** What runs the targets' pods: processes of this machine, or a real kubelet. The hub always has a process node. */
  readonly nodes?: NodeKind;
  readonly progress?: Progress;
  readonly binaries?: Binaries;
  /** More programs that stand for images, beside our own. */
  readonly images?: ImageMap;
  /** Before the second restart of a crashing container; a lab is impatient. */
  readonly restartBaseMs?: number;
}

/** The Service that the forwarder makes reachable at the gateway's address. */
const GATEWAY = { namespace: 'clustertunnel-system', service: 'clustertunnel-gateway', servicePort: 8443 };
const RESTART_BASE_MS = 1_000;

/** Our own image: its entry point is the program in this checkout. */
const OUR_IMAGE: ImageMap = { clustertunnel: [process.execPath, PROGRAM] };

/** A hub, its targets, their nodes, and the gateway's address, all inside this process and its children. */
export class Lab {
  readonly dir: string;
  readonly binaries: Binaries;
  readonly hub: Cluster;
  readonly targets: readonly Cluster[];
  readonly users: LabUsers;
  /** Where the gateway is to be reached, also from a real node's pods. Nothing answers before an operator runs. */
  readonly gatewayUrl: string;
  readonly #gateway: ServiceForward;

  private constructor(
    dir: string,
    binaries: Binaries,
    clusters: readonly Cluster[],
    users: LabUsers,
    gateway: Gateway,
  ) {
    const [hub, ...targets] = clusters;
    if (hub === undefined) throw new RangeError('a lab has a hub');
    this.dir = dir;
    this.binaries = binaries;
    this.hub = hub;
    this.targets = targets;
    this.users = users;
    this.gatewayUrl = gateway.url;
    this.#gateway = gateway.forward;
  }

  /** Starts everything at once and returns when a Deployment can become Available in each cluster. */
  static async start(options: LabOptions): Promise<Lab> {
    const { dir, progress = silent } = options;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const binaries = options.binaries ?? (await ensureBinaries({ progress }));
    const users = createUsers();
    const realNodes = options.nodes === 'kubelet' ? await prepareRealNodes(dir, options.targets, progress) : [];
    const names = ['hub', ...Array.from({ length: options.targets }, (_, index) => `target-${index + 1}`)];
    const clusters = await startAll(
      names.map((name, index) => clusterOptions({ name, options, binaries, users, realNode: realNodes[index - 1] })),
    );
    for (const cluster of clusters) copyFileSync(cluster.kubeconfigPath, join(dir, `${cluster.name}.kubeconfig`));
    const gateway = await startGateway(clusters, realNodes[0]?.addresses.host ?? '127.0.0.1');
    return new Lab(dir, binaries, clusters, users, gateway);
  }

  get clusters(): readonly Cluster[] {
    return [this.hub, ...this.targets];
  }

  /** kubectl as system:masters of `where`, with another kubeconfig, or as the owner of `token`. @throws Error if it fails and may not */
  kubectl(where: Cluster | string, args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> {
    const program = { file: this.binaries.files.kubectl, cacheFolder: join(this.dir, 'kubectl') };
    if (typeof where === 'string') return kubectl(program, where, args, options);
    const { token, ...rest } = options;
    const kubeconfig = token === undefined ? where.kubeconfigPath : this.#tokenKubeconfig(where, token);
    return kubectl(program, kubeconfig, args, rest);
  }

  /** The gateway's address first, so that nobody new comes in; then the clusters, each in its own order. */
  async stop(): Promise<void> {
    await this.#gateway.stop();
    await Promise.all(this.clusters.map((cluster) => cluster.stop()));
  }

  /** A token on a command line can be read by everybody on this machine; in a file of ours it cannot. */
  #tokenKubeconfig({ name, url, caPem }: Cluster, token: string): string {
    const folder = join(this.dir, 'kubectl');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const digest = createHash('sha256').update(token).digest('hex').slice(0, 16);
    const path = join(folder, `${name}-${digest}.kubeconfig`);
    writeKubeconfig(path, { cluster: name, url, caPem, user: 'token', credential: { token } });
    return path;
  }
}

interface Gateway {
  readonly url: string;
  readonly forward: ServiceForward;
}

/** Starts a lab in this process. */
export function startLab(options: LabOptions): Promise<Lab> {
  return Lab.start(options);
}

/** All or none: what started is stopped again if one of them does not. */
async function startAll(options: readonly Parameters<typeof startCluster>[0][]): Promise<Cluster[]> {
  const results = await Promise.allSettled(options.map((one) => startCluster(one)));
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return started;
  await Promise.all(started.map((cluster) => cluster.stop()));
  throw failed.reason;
}

interface ClusterInput {
  readonly name: string;
  readonly options: LabOptions;
  readonly binaries: Binaries;
  readonly users: LabUsers;
  readonly realNode: KubeletNodeOptions | undefined;
}

function clusterOptions({
  name,
  options,
  binaries,
  users,
  realNode,
}: ClusterInput): Parameters<typeof startCluster>[0] {
  const tokens = Object.values(users).map(({ name: user, token, groups }) => ({ token, user, uid: user, groups }));
  const processNode = {
    images: { ...OUR_IMAGE, ...options.images },
    restartBaseMs: options.restartBaseMs ?? RESTART_BASE_MS,
  };
  return {
    name,
    dir: join(options.dir, name),
    binaries,
    tokens: name === 'hub' ? tokens : [],
    ...(realNode === undefined ? { processNode } : { kubeletNode: realNode }),
    progress: options.progress ?? silent,
  };
}

async function startGateway([hub, ...targets]: readonly Cluster[], listenHost: string): Promise<Gateway> {
  if (hub === undefined) throw new RangeError('a lab has a hub');
  const [listenPort = 0] = await freePorts(1);
  const forward = new ServiceForward({ client: hub.client, ...GATEWAY, listenHost, listenPort });
  try {
    await forward.start();
    return { url: `https://${listenHost}:${listenPort}`, forward };
  } catch (error) {
    await Promise.all([forward.stop(), hub.stop(), ...targets.map((target) => target.stop())]);
    throw error;
  }
}

export type { Cluster };
