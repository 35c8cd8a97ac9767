import type { ClusterTunnel, Condition, SpecInput } from '../../crds/types.ts';
import type { ApiClient } from '../../hack/lab/api/client.ts';
import type { KubeObject } from '../../hack/lab/api/objects.ts';
import type { Cluster } from '../../hack/lab/lab.ts';
import { until } from '../../hack/lab/until.ts';
import type { UserName } from '../../hack/lab/users.ts';
import { FINALIZER } from '../../operator/controller/names.ts';
import { History } from './history.ts';
import { InstalledLab, type InstalledLabOptions, needControlPlane, type RunningPod } from './installed-lab.ts';
import { SlowDownload } from './slow-download.ts';
import { SteadyClient } from './steady-client.ts';
import { WatchClient } from './watch-client.ts';

export const AGENT_NAMESPACE = 'clustertunnel-agent';
export const OPERATOR_NAMESPACE = 'clustertunnel-system';

const TUNNELS = '/apis/clustertunnel.io/v1alpha1/clustertunnels';
const EVENTS = '/apis/events.k8s.io/v1/namespaces/default/events';
const SOON_MS = 30_000;

type Tunnel = ClusterTunnel & KubeObject;

/** An Event of events.k8s.io/v1, as far as tests look at it. */
export interface TunnelEvent extends KubeObject {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly kind: string; readonly name: string };
}

/** What a condition is to be; what is left out may be anything. */
export type Wanted = Partial<Pick<Condition, 'status' | 'reason'>>;

/** A lab in which tunnels live: everything that happens to them is on record. */
export class Life {
  readonly lab: InstalledLab;
  readonly tunnels: History<Tunnel>;
  readonly happenings: History<TunnelEvent>;
  readonly #clients: ApiClient[] = [];
  readonly #users: { stop(): Promise<unknown> }[] = [];

  private constructor(lab: InstalledLab, tunnels: History<Tunnel>, happenings: History<TunnelEvent>) {
    this.lab = lab;
    this.tunnels = tunnels;
    this.happenings = happenings;
  }

  /** The lab's administrators and alice may use every tunnel; bob none. */
  static async start(options: InstalledLabOptions): Promise<Life> {
    const lab = await InstalledLab.start({ restartBaseMs: 200, ...options });
    try {
      const role = '--clusterrole=clustertunnel-user';
      await lab.hub(['create', 'clusterrolebinding', 'life', role, '--user=alice', '--group=lab:admins']);
      const { client } = lab.lab.hub;
      return new Life(lab, await History.open(client, TUNNELS), await History.open(client, EVENTS));
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  /** Everybody leaves, then the lab goes. */
  async stop(): Promise<void> {
    await Promise.all(this.#users.map((user) => user.stop()));
    for (const client of this.#clients) client.close();
    await Promise.all([this.tunnels.stop(), this.happenings.stop()]);
    await this.lab.stop();
  }

  /** Makes a tunnel whose agents come back fast and that is probed often. */
  async create(name: string, spec: SpecInput = {}): Promise<void> {
    await this.lab.apply({
      apiVersion: 'clustertunnel.io/v1alpha1',
      kind: 'ClusterTunnel',
      metadata: { name },
      spec: {
        reconnect: { minBackoff: '100ms', maxBackoff: '1s' },
        health: { interval: '1s' },
        ...spec,
        agent: { replicas: 1, ...spec.agent },
      },
    });
  }

  /** Merges into a tunnel's spec. */
  async change(name: string, spec: SpecInput): Promise<void> {
    await this.lab.hub(['patch', 'ct', name, '--type=merge', '-p', JSON.stringify({ spec })]);
  }

  /** kubectl delete, without waiting for the end of it. */
  async remove(...names: string[]): Promise<void> {
    await this.lab.hub(['delete', 'ct', ...names, '--wait=false']);
  }

  /** The tunnel as last told. @throws Error if it is not there */
  tunnel(name: string): Tunnel {
    const found = this.#find(name);
    if (found === undefined) throw new Error(`there is no ClusterTunnel ${name}`);
    return found;
  }

  isThere(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** The condition as soon as it is as wanted. */
  condition(name: string, type: string, wanted: Wanted, timeoutMs = SOON_MS): Promise<Condition> {
    const look = () => {
      const condition = conditionOf(this.#find(name), type);
      return condition !== undefined && isAs(condition, wanted) ? condition : undefined;
    };
    const what = `${type} ${JSON.stringify(wanted)} of tunnel ${name}`;
    return this.tunnels.until(what, look, { timeoutMs, told: () => this.#told(name) });
  }

  /** Ready, for the newest spec, with an agent that runs it. */
  async ready(name: string, timeoutMs = SOON_MS): Promise<void> {
    const isReady = () => {
      const found = this.#find(name);
      const isCurrent = found?.status?.observedGeneration === found?.metadata.generation;
      const isSettled = conditionOf(found, 'Reconciling') === undefined;
      return (isCurrent && isSettled && conditionOf(found, 'Ready')?.status === 'True') || undefined;
    };
    await this.tunnels.until(`tunnel ${name} Ready`, isReady, { timeoutMs, told: () => this.#told(name) });
  }

  /** The condition once it was judged for the newest spec. */
  judged(name: string, type: string): Promise<Condition> {
    const look = () => {
      const found = this.#find(name);
      const isCurrent = found?.status?.observedGeneration === found?.metadata.generation;
      return isCurrent ? conditionOf(found, type) : undefined;
    };
    const patience = { timeoutMs: SOON_MS, told: () => this.#told(name) };
    return this.tunnels.until(`a judgement of the newest spec of ${name}`, look, patience);
  }

  async notReady(name: string): Promise<void> {
    const look = () => (conditionOf(this.#find(name), 'Ready')?.status === 'True' ? undefined : true);
    await this.tunnels.until(`tunnel ${name} not Ready`, look, { timeoutMs: SOON_MS, told: () => this.#told(name) });
  }

  async gone(name: string, timeoutMs = SOON_MS): Promise<void> {
    const look = () => (this.isThere(name) ? undefined : true);
    await this.tunnels.until(`the end of tunnel ${name}`, look, { timeoutMs, told: () => this.#told(name) });
  }

  /** Every value of a condition so far, oldest first, those of deletion included. */
  pastOf(name: string, type: string): Condition[] {
    return this.tunnels
      .moments(({ metadata }) => metadata.name === name)
      .flatMap(({ object, isGone }) => (isGone ? [] : (conditionOf(object, type) ?? [])));
  }

  /** An Event about the tunnel with this reason, whose note contains `words`. */
  event(name: string, reason: string, words = ''): Promise<TunnelEvent> {
    const about = () => this.happenings.present().filter(({ regarding }) => regarding.name === name);
    const look = () => about().find((event) => event.reason === reason && event.note.includes(words));
    const told = () => JSON.stringify(about().map(({ type, reason: why, note }) => `${type} ${why} ${note}`));
    return this.happenings.until(`Event ${reason} of ${name}`, look, { timeoutMs: SOON_MS, told });
  }

  /** A client of the gateway with connections of its own. */
  client(user: UserName): ApiClient {
    const client = this.lab.gateway(user);
    this.#clients.push(client);
    return client;
  }

  /** A user who asks for the same object all the time. */
  steady(tunnel: string, user: UserName = 'lab-admin'): SteadyClient {
    return this.#kept(new SteadyClient(this.client(user), `/clusters/${tunnel}/api/v1/namespaces/default`));
  }

  /** An informer of the ConfigMaps in the target's default namespace. */
  async watch(tunnel: string): Promise<WatchClient> {
    const path = `/clusters/${tunnel}/api/v1/namespaces/default/configmaps`;
    return this.#kept(await WatchClient.open(this.client('lab-admin'), path));
  }

  /** A slow reader of a list. `path`: at the target's API server. */
  async download(tunnel: string, path: string): Promise<SlowDownload> {
    return this.#kept(await SlowDownload.start(this.client('lab-admin'), `/clusters/${tunnel}${path}`));
  }

  #kept<User extends { stop(): Promise<unknown> }>(user: User): User {
    this.#users.push(user);
    return user;
  }

  /** Which processes the agents of the tunnel are, as soon as exactly `count` of them run. */
  async agents(cluster: Cluster, name: string, count: number, namespace = AGENT_NAMESPACE): Promise<string[]> {
    return until(
      `${count} agents of ${name}`,
      () => {
        const running = this.lab.agents(cluster, name, namespace);
        return running.length === count ? identities(running) : undefined;
      },
      SOON_MS,
    );
  }

  /** "kind/name" of everything that was made for a tunnel in a cluster; in the hub the keys as well. */
  async belongings(cluster: Cluster, name: string, namespace = AGENT_NAMESPACE): Promise<string[]> {
    const selector = `clustertunnel.io/tunnel=${name}`;
    const list = async (where: readonly string[]) =>
      (await this.lab.lab.kubectl(cluster, ['get', ...where, '-l', selector, '-o', 'name'])).stdout.split('\n');
    const lists = await Promise.all([
      list(['deployments,replicasets,pods,secrets,serviceaccounts', '-n', namespace]),
      list(['clusterrolebindings']),
      list(['secrets', '-n', OPERATOR_NAMESPACE]),
    ]);
    return lists.flat().filter((line) => line !== '');
  }

  /** How many keys of the tunnel are valid. */
  async keyCount(name: string): Promise<number> {
    const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/secrets/clustertunnel-keys-${name}`;
    const { data = {} } = await this.lab.lab.hub.client.get<{ data?: object }>(path);
    return Object.keys(data).length;
  }

  #find(name: string): Tunnel | undefined {
    return this.tunnels.present().find(({ metadata }) => metadata.name === name);
  }

  #told(name: string): string {
    const found = this.#find(name);
    if (found === undefined) return 'no such tunnel';
    const { metadata, status } = found;
    const conditions = (status?.conditions ?? []).map(
      ({ type, status: is, reason, message }) => `${type}=${is} ${reason}: ${message}`,
    );
    const life = metadata.deletionTimestamp === undefined ? 'alive' : 'deleting';
    return [
      `${life}, generation ${metadata.generation}, observed ${status?.observedGeneration}, ${metadata.finalizers?.includes(FINALIZER) ? 'with' : 'without'} finalizer`,
      ...conditions,
    ].join('\n  ');
  }
}

export function conditionOf(tunnel: ClusterTunnel | undefined, type: string): Condition | undefined {
  return tunnel?.status?.conditions?.find((each) => each.type === type);
}

/** One line a process: equal lines are the same process of the same pod. */
export function identities(agents: readonly RunningPod[]): string[] {
  return agents.map(({ pod, pid, startedAt }) => `${pod.pod} ${pod.uid} ${pid} ${startedAt}`).sort();
}

function isAs(condition: Condition, { status, reason }: Wanted): boolean {
  return (status ?? condition.status) === condition.status && (reason ?? condition.reason) === condition.reason;
}

/** A suite on one lab, which all its tests share; or a skip that says why no control plane can be started here. */
export function describeLife(title: string, options: InstalledLabOptions, body: (life: () => Life) => void): void {
  describe(title, () => {
    let started: Life | undefined;
    before(async function () {
      needControlPlane(this);
      started = await Life.start(options);
    });
    body(() => {
      if (started === undefined) throw new Error('the lab has not started');
      return started;
    });
    // Hooks run in the order in which they were made: this one is last.
    after(async () => {
      await started?.stop();
    });
  });
}
