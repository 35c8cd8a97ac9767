import type { Registry } from '../sessions/registry.ts';
import type { TunnelView } from '../sessions/tunnels.ts';
import type { Asking, Gate } from './gate.ts';
import type { HubUser } from './identity.ts';
import { lineTrouble } from './route.ts';
import { TunnelError } from './tunnel-error.ts';
import type { UsableTunnels } from './usable-tunnels.ts';

/** /clusters itself. */
const PATH = /^\/clusters\/?(\?|$)/;
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** What `GET /clusters` answers. */
export interface ClusterList {
  readonly apiVersion: 'clustertunnel.io/v1alpha1';
  readonly kind: 'ClusterList';
  readonly metadata: Readonly<Record<string, never>>;
  /** By name. */
  readonly items: readonly Cluster[];
}

interface Cluster {
  readonly name: string;
  /** The server of a kubeconfig. */
  readonly endpoint: string;
  /** An agent has a session with this gateway. */
  readonly connected: boolean;
  readonly suspended: boolean;
}

export interface ClustersOptions {
  readonly gate: Gate;
  readonly usable: UsableTunnels;
  readonly registry: Registry;
  /** https://host[:port]. */
  readonly externalUrl: string;
  readonly allowedOrigins: readonly string[];
}

/** Whether a request target asks for the list, not for a tunnel. */
export function asksForClusters(url: string): boolean {
  return PATH.test(url);
}

/** The tunnels that somebody may use. Of the others nothing is said, not even how many there are. */
export class Clusters {
  readonly #options: ClustersOptions;

  constructor(options: ClustersOptions) {
    this.#options = options;
  }

  /** Rejects only over a bug. */
  async list(line: Asking): Promise<{ user: HubUser; list: ClusterList } | TunnelError> {
    const trouble = lineTrouble(line, this.#options.allowedOrigins);
    if (trouble !== undefined) return trouble;
    if (!METHODS.has(line.method)) return new TunnelError('method_not_allowed', '/clusters is only read: GET or HEAD');
    const user = await this.#options.gate.identify(line);
    if (user instanceof TunnelError) return user;
    const views = await this.#options.usable.of(user);
    if (views instanceof TunnelError) return views;
    const items = views.map((view) => this.#clusterOf(view)).sort((a, b) => (a.name < b.name ? -1 : 1));
    return { user, list: { apiVersion: 'clustertunnel.io/v1alpha1', kind: 'ClusterList', metadata: {}, items } };
  }

  #clusterOf({ name, isSuspended }: TunnelView): Cluster {
    const { registry, externalUrl } = this.#options;
    return {
      name,
      endpoint: `${externalUrl}/clusters/${name}`,
      connected: registry.facts(name).links.length > 0,
      suspended: isSuspended,
    };
  }
}
