import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type KubeObject, RESOURCES, type Resource } from '../../kube/objects.ts';
import { Reflector, type ReflectorOptions } from '../../kube/reflector.ts';
import { type Change, Store } from '../../kube/store.ts';
import { AGENT_CLUSTER_ROLE, MANAGED_BY, MANAGED_BY_LABEL } from '../names.ts';
import type { DeploymentObject } from '../objects/deployment.ts';
import { tunnelsOf } from './drift.ts';
import { deploymentFactsOf, identityOf } from './watched-objects.ts';

/** Tunnels by the namespace of their agents. */
export type Needs = ReadonlyMap<string, ReadonlySet<string>>;

export interface ClusterWatchesOptions {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** Watch also what is ours outside of namespaces: at the hub the caches do that. */
  readonly isRemote: boolean;
  /** An object of a tunnel that stands here came, changed or went. */
  readonly onChange: (tunnel: string, change: Change<KubeObject>) => void;
}

/** What we watch in an agent's namespace: all that we make there. */
const NAMESPACED: readonly Resource[] = [RESOURCES.deployment, RESOURCES.serviceAccount, RESOURCES.secret];
const OURS = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;
/** A remote cluster holds one agent, or a few. Its API server is not ours: it must not fill our memory. */
const MAX_REMOTE_OBJECTS = 1_000;

interface Watch {
  readonly stop: AbortController;
  readonly deployments: Store<DeploymentObject>;
  readonly running: Promise<unknown>;
}

/** The watches at one cluster, each started when the first tunnel needs it and stopped with the last. */
export class ClusterWatches {
  readonly #options: ClusterWatchesOptions;
  readonly #namespaces = new Map<string, Watch>();
  /** Of those that were stopped, until they have ended. */
  readonly #ending = new Set<Promise<unknown>>();
  #clusterScoped: Watch | undefined;
  #needs: Needs = new Map();

  constructor(options: ClusterWatchesOptions) {
    this.#options = options;
  }

  /** Watches exactly what these tunnels need from now on. */
  keep(needs: Needs): void {
    this.#needs = needs;
    for (const [namespace, watch] of this.#namespaces) {
      if (needs.has(namespace)) continue;
      this.#namespaces.delete(namespace);
      this.#end(watch);
    }
    for (const namespace of needs.keys()) {
      if (!this.#namespaces.has(namespace)) this.#namespaces.set(namespace, this.#watchNamespace(namespace));
    }
    if (this.#options.isRemote) this.#keepClusterScoped(needs.size > 0);
  }

  /** The Deployment as last told; undefined until the first complete list. */
  deployment(namespace: string, name: string): DeploymentObject | undefined {
    return this.#namespaces.get(namespace)?.deployments.get(`${namespace}/${name}`);
  }

  /** Every tunnel that stands here. */
  tunnels(): string[] {
    return [...this.#needs.values()].flatMap((tunnels) => [...tunnels]);
  }

  async stop(): Promise<void> {
    this.keep(new Map());
    await Promise.all(this.#ending);
  }

  #keepClusterScoped(isNeeded: boolean): void {
    if (isNeeded) {
      this.#clusterScoped ??= this.#watchClusterScoped();
    } else if (this.#clusterScoped !== undefined) {
      this.#end(this.#clusterScoped);
      this.#clusterScoped = undefined;
    }
  }

  #end({ stop, running }: Watch): void {
    stop.abort(new Error('no tunnel needs the watch'));
    this.#ending.add(running);
    void running.then(() => this.#ending.delete(running));
  }

  #watchNamespace(namespace: string): Watch {
    const onChange = (change: Change<KubeObject>) => {
      const here = this.#needs.get(namespace);
      for (const tunnel of tunnelsOf(change)) if (here?.has(tunnel)) this.#options.onChange(tunnel, change);
    };
    const deployments = new Store<DeploymentObject>({ onChange });
    const watched = { address: { namespace }, labelSelector: OURS };
    return this.#run(deployments, (reflect) =>
      NAMESPACED.map((resource) => {
        if (resource !== RESOURCES.deployment) {
          return reflect({ ...watched, resource, select: identityOf, store: new Store<KubeObject>({ onChange }) });
        }
        return reflect({ ...watched, resource, select: deploymentFactsOf, store: deployments });
      }),
    );
  }

  /** The binding of each agent; and the role that all of them share. */
  #watchClusterScoped(): Watch {
    const onBinding = (change: Change<KubeObject>) => {
      const here = this.tunnels();
      for (const tunnel of tunnelsOf(change)) if (here.includes(tunnel)) this.#options.onChange(tunnel, change);
    };
    const onRole = (change: Change<KubeObject>) => {
      for (const tunnel of this.tunnels()) this.#options.onChange(tunnel, change);
    };
    return this.#run(new Store<DeploymentObject>(), (reflect) => [
      reflect({
        resource: RESOURCES.clusterRoleBinding,
        labelSelector: OURS,
        select: identityOf,
        store: new Store<KubeObject>({ onChange: onBinding }),
      }),
      reflect({
        resource: RESOURCES.clusterRole,
        fieldSelector: `metadata.name=${AGENT_CLUSTER_ROLE}`,
        select: identityOf,
        store: new Store<KubeObject>({ onChange: onRole }),
      }),
    ]);
  }

  #run(deployments: Store<DeploymentObject>, start: (reflect: Reflect) => Promise<void>[]): Watch {
    const { client, clock, log, random, isRemote } = this.#options;
    const bound = isRemote ? { maxObjects: MAX_REMOTE_OBJECTS } : {};
    const stop = new AbortController();
    const reflect: Reflect = (watched) =>
      new Reflector({ client, clock, log, random, ...bound, ...watched }).run(stop.signal);
    return { stop, deployments, running: Promise.all(start(reflect)) };
  }
}

type Watched<T extends KubeObject> = Pick<
  ReflectorOptions<T>,
  'resource' | 'address' | 'labelSelector' | 'fieldSelector' | 'select' | 'store'
>;
type Reflect = <T extends KubeObject>(watched: Watched<T>) => Promise<void>;
