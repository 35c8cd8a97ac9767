import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { KubeClient } from '../kube/client.ts';
import { type KubeObject, RESOURCES, type Resource } from '../kube/objects.ts';
import { Reflector } from '../kube/reflector.ts';
import { type Change, Store } from '../kube/store.ts';
import type { DeploymentObject } from './deployment.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from './names.ts';

export interface AgentNamespacesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** One of our objects came, changed or went. */
  readonly onChange: (change: Change<KubeObject>) => void;
}

/** What we watch in an agent's namespace: all that we make there. */
const WATCHED: readonly Resource[] = [RESOURCES.deployment, RESOURCES.serviceAccount, RESOURCES.secret];

interface Watched {
  readonly stop: AbortController;
  readonly deployments: Store<DeploymentObject>;
  readonly running: Promise<unknown>;
}

/** Watches of the namespaces that agents stand in, each started when the first tunnel needs it. */
export class AgentNamespaces {
  readonly #options: AgentNamespacesOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: AgentNamespacesOptions) {
    this.#options = options;
  }

  /** Watches exactly these namespaces from now on. */
  keep(namespaces: ReadonlySet<string>): void {
    for (const [namespace, { stop }] of this.#watched) {
      if (namespaces.has(namespace)) continue;
      stop.abort(new Error('no tunnel uses the namespace'));
      this.#watched.delete(namespace);
    }
    for (const namespace of namespaces) {
      if (!this.#watched.has(namespace)) this.#watched.set(namespace, this.#watch(namespace));
    }
  }

  /** The Deployment as last seen. */
  deployment(namespace: string, name: string): DeploymentObject | undefined {
    return this.#watched.get(namespace)?.deployments.get(`${namespace}/${name}`);
  }

  async stop(): Promise<void> {
    const running = [...this.#watched.values()].map((watched) => watched.running);
    this.keep(new Set());
    await Promise.all(running);
  }

  #watch(namespace: string): Watched {
    const { onChange } = this.#options;
    const stop = new AbortController();
    const deployments = new Store<DeploymentObject>({ onChange });
    const running = WATCHED.map((resource) => {
      const store = resource === RESOURCES.deployment ? deployments : new Store<KubeObject>({ onChange });
      const { client, clock, log, random } = this.#options;
      const labelSelector = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;
      const options = { client, clock, log, random, resource, address: { namespace }, labelSelector };
      // A Store of Deployments is a Store of objects: the reflector hands it nothing else.
      return new Reflector<KubeObject>({ ...options, store: store as Store<KubeObject> }).run(stop.signal);
    });
    return { stop, deployments, running: Promise.all(running) };
  }
}
