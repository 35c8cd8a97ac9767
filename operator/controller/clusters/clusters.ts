import { randomBytes } from 'node:crypto';
import type { ClusterTunnel, Spec } from '../../../crds/types.ts';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { KubeClient } from '../../kube/client.ts';
import { digestOf, type InlineKubeconfig } from '../../kube/inline-kubeconfig.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { remoteTransport } from '../../kube/remote-transport.ts';
import type { Change } from '../../kube/store.ts';
import type { Transport } from '../../kube/transport.ts';
import type { DeploymentObject } from '../objects/deployment.ts';
import { ClusterWatches } from './cluster-watches.ts';
import type { KubeconfigSecrets, KubeconfigTrouble } from './kubeconfig-secrets.ts';
import { RemoteCluster } from './remote-cluster.ts';

/** The cluster that an agent stands in. */
export interface Cluster {
  /** `hub`, or a digest of what the kubeconfig says: the same in two Secrets is one cluster, a rotated credential is another. */
  readonly id: string;
  /** While the API server is known not to answer, calls fail at once with an UnreachableError. */
  readonly client: KubeClient;
  /** URL of its API server, for messages. */
  readonly server: string;
  readonly isRemote: boolean;
  /** Why its API server does not answer, such as "connect ECONNREFUSED 10.0.0.1:6443"; undefined while it does, and for the hub. */
  readonly unreachable: string | undefined;
  /** The Deployment as the watch last told, however long ago; undefined until the first complete list. */
  deploymentOf(namespace: string, name: string): DeploymentObject | undefined;
}

export type ClusterChoice = { readonly cluster: Cluster } | { readonly trouble: KubeconfigTrouble };

export interface ClustersOptions {
  readonly hub: KubeClient;
  readonly kubeconfigs: Pick<KubeconfigSecrets, 'find' | 'revision'>;
  readonly defaultAgentNamespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** An object of the tunnel's agent came, changed or went in the cluster that it stands in. */
  readonly onChange: (tunnel: string, change: Change<KubeObject>) => void;
  /** The API server of the tunnel's cluster fell silent, or answers again. */
  readonly onReachable: (tunnel: string) => void;
  /** Default: remoteTransport. */
  readonly connect?: (kubeconfig: InlineKubeconfig, clock: Clock) => Transport;
}

const HUB_ID = 'hub';
const DEFAULT_KEY = 'kubeconfig';

/** Where the agent of a tunnel stands. */
interface Place {
  readonly id: string;
  readonly namespace: string;
  /** Undefined at the hub. */
  readonly kubeconfig: InlineKubeconfig | undefined;
}

interface Kept {
  readonly tunnels: readonly ClusterTunnel[];
  readonly revision: number;
  readonly remotes: number;
}

/** The clusters that agents stand in, each with one client and one set of watches, however many tunnels use it. */
export class Clusters {
  readonly #options: ClustersOptions;
  readonly #hub: Cluster;
  readonly #hubWatches: ClusterWatches;
  readonly #remotes = new Map<string, RemoteCluster>();
  readonly #closing = new Set<Promise<void>>();
  /** Undefined where there is nothing to watch. */
  #places: ReadonlyMap<string, Place | undefined> = new Map();
  /** What the last keep() saw, and how many remotes it left. */
  #kept: Kept = { tunnels: [], revision: 0, remotes: 0 };
  /** Ids mean something in this process only. */
  readonly #digestKey = randomBytes(32);
  readonly #ids = new WeakMap<InlineKubeconfig, string>();

  constructor(options: ClustersOptions) {
    const { hub, clock, log, random, onChange } = options;
    this.#options = options;
    const watches = new ClusterWatches({ client: hub, clock, log, random, isRemote: false, onChange });
    this.#hubWatches = watches;
    this.#hub = {
      id: HUB_ID,
      client: hub,
      server: hub.server,
      isRemote: false,
      unreachable: undefined,
      deploymentOf: (namespace, name) => watches.deployment(namespace, name),
    };
  }

  /** The cluster of a tunnel: the hub for Local and Manual. */
  of({ metadata }: Pick<ClusterTunnel, 'metadata'>, { agent }: Pick<Spec, 'agent'>): ClusterChoice {
    if (agent.placement !== 'Kubeconfig') return { cluster: this.#hub };
    if (agent.kubeconfigSecretRef === undefined)
      throw new RangeError(`${metadata.name} names no kubeconfig: check its spec first`);
    const { name, key = DEFAULT_KEY } = agent.kubeconfigSecretRef;
    const found = this.#options.kubeconfigs.find({ name, key });
    return 'trouble' in found ? found : { cluster: this.#remote(found.kubeconfig).cluster };
  }

  /**
   * From now on watches exactly what these tunnels need; clients that none of them uses are closed at once, with what runs
   * over them. Cheap when nothing changed: unchanged tunnels are the same objects as the last time.
   */
  keep(tunnels: readonly ClusterTunnel[]): void {
    const isSettled = !this.#isChanged(tunnels);
    this.#kept = { tunnels, revision: this.#options.kubeconfigs.revision, remotes: this.#remotes.size };
    if (isSettled) return;
    this.#places = new Map(tunnels.map((tunnel) => [tunnel.metadata.name, this.#placeOf(tunnel)]));
    this.#settle();
    this.#kept = { ...this.#kept, remotes: this.#remotes.size };
  }

  #isChanged(tunnels: readonly ClusterTunnel[]): boolean {
    const { tunnels: kept, revision, remotes } = this.#kept;
    if (tunnels.length !== kept.length || remotes !== this.#remotes.size) return true;
    if (revision !== this.#options.kubeconfigs.revision) return true;
    return tunnels.some((tunnel, at) => tunnel !== kept[at] && !this.#isInPlace(tunnel));
  }

  #isInPlace(tunnel: ClusterTunnel): boolean {
    const { name } = tunnel.metadata;
    const place = this.#placeOf(tunnel);
    const known = this.#places.get(name);
    return this.#places.has(name) && place?.id === known?.id && place?.namespace === known?.namespace;
  }

  async stop(): Promise<void> {
    this.keep([]);
    await Promise.all([this.#hubWatches.stop(), ...this.#closing]);
  }

  /** Undefined for Manual, and while there is no usable kubeconfig. */
  #placeOf({ spec }: ClusterTunnel): Place | undefined {
    const { placement, kubeconfigSecretRef: ref, namespace = this.#options.defaultAgentNamespace } = spec?.agent ?? {};
    if (placement === 'Manual') return undefined;
    if (placement !== 'Kubeconfig') return { id: HUB_ID, namespace, kubeconfig: undefined };
    if (ref === undefined) return undefined;
    const found = this.#options.kubeconfigs.find({ name: ref.name, key: ref.key ?? DEFAULT_KEY });
    if ('trouble' in found) return undefined;
    return { id: this.#idOf(found.kubeconfig), namespace, kubeconfig: found.kubeconfig };
  }

  #settle(): void {
    const needed = new Map<string, Map<string, Set<string>>>([[HUB_ID, new Map()]]);
    for (const [tunnel, place] of this.#places) {
      if (place === undefined) continue;
      const { id, namespace, kubeconfig } = place;
      if (kubeconfig !== undefined) this.#remote(kubeconfig);
      const needs = needed.get(id) ?? new Map<string, Set<string>>();
      needed.set(id, needs.set(namespace, (needs.get(namespace) ?? new Set()).add(tunnel)));
    }
    this.#hubWatches.keep(needed.get(HUB_ID) ?? new Map());
    for (const [id, remote] of this.#remotes) {
      const needs = needed.get(id);
      if (needs === undefined) this.#close(id, remote);
      else remote.keep(needs);
    }
  }

  #remote(kubeconfig: InlineKubeconfig): RemoteCluster {
    const id = this.#idOf(kubeconfig);
    const known = this.#remotes.get(id);
    if (known !== undefined) return known;
    const { clock, connect = remoteTransport } = this.#options;
    const remote = new RemoteCluster({ ...this.#options, id, transport: connect(kubeconfig, clock) });
    this.#remotes.set(id, remote);
    return remote;
  }

  #close(id: string, remote: RemoteCluster): void {
    this.#remotes.delete(id);
    const closing = remote.close();
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }

  #idOf(kubeconfig: InlineKubeconfig): string {
    const id = this.#ids.get(kubeconfig) ?? digestOf(kubeconfig, this.#digestKey);
    this.#ids.set(kubeconfig, id);
    return id;
  }
}
