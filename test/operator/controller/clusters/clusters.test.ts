import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import type { ClusterTunnel } from '../../../../crds/types.ts';
import { type Cluster, type ClusterChoice, Clusters } from '../../../../operator/controller/clusters/clusters.ts';
import { KubeconfigSecrets } from '../../../../operator/controller/clusters/kubeconfig-secrets.ts';
import { labelsOf } from '../../../../operator/controller/names.ts';
import { createClient } from '../../../../operator/kube/client.ts';
import { UnreachableError } from '../../../../operator/kube/errors.ts';
import { type DataObject, RESOURCES } from '../../../../operator/kube/objects.ts';
import { Store } from '../../../../operator/kube/store.ts';
import type { Call, Transport } from '../../../../operator/kube/transport.ts';
import { type Logger, silentLogger } from '../../../../process/log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { turns, until } from '../../../support/turns.ts';
import { base64, written } from '../../kube/inline-kubeconfigs.ts';
import { specOf } from '../status/observation.ts';

const operatorNamespace = 'clustertunnel-system';
const never = new AbortController().signal;

/** An API server without objects; it notes who is watched. */
class EmptyServer implements Transport {
  readonly server: string;
  readonly #watches = new Map<string, PassThrough>();
  calls = 0;
  isClosed = false;
  isDead = false;

  constructor(server: string) {
    this.server = server;
  }

  async call({ method, path, query }: Call, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    this.calls++;
    if (this.isDead) throw new UnreachableError(`${method} ${path}`, { cause: new Error('connect ECONNREFUSED') });
    return query?.['limit'] === undefined ? { metadata: {} } : { metadata: { resourceVersion: '1' }, items: [] };
  }

  async stream({ method, path }: Call, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    if (this.isDead) throw new UnreachableError(`${method} ${path}`, { cause: new Error('connect ECONNREFUSED') });
    const lines = new PassThrough({ signal });
    this.#watches.set(path, lines);
    lines.once('close', () => this.#watches.delete(path)).on('error', () => {});
    return lines;
  }

  /** Sends an event to whoever watches the path. */
  tell(path: string, type: string, object: object): void {
    this.#watches.get(path)?.write(`${JSON.stringify({ type, object })}\n`);
  }

  /** Breaks off every watch. */
  hangUp(): void {
    for (const lines of this.#watches.values()) lines.destroy(new UnreachableError('the stream broke off'));
  }

  get watched(): string[] {
    return [...this.#watches.keys()];
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

/** Clusters over servers without objects, and Secrets to write. */
class World {
  readonly hub = new EmptyServer('https://hub');
  /** In the order in which they were connected to. */
  readonly remotes: EmptyServer[] = [];
  readonly reachable: string[] = [];
  readonly changes: string[] = [];
  readonly clock = new ManualClock();
  readonly warnings: string[] = [];
  readonly clusters: Clusters;
  readonly #log: Logger = {
    ...silentLogger,
    warn: (message) => this.warnings.push(message),
    child: () => this.#log,
  };
  readonly #secrets = new Store<DataObject>();

  constructor() {
    this.clusters = new Clusters({
      hub: createClient(this.hub),
      kubeconfigs: new KubeconfigSecrets(this.#secrets, operatorNamespace),
      defaultAgentNamespace: 'clustertunnel-agent',
      clock: this.clock,
      log: this.#log,
      random: () => 0,
      onChange: (tunnel, { object, isGone }) =>
        this.changes.push(`${tunnel} ${object.kind} ${isGone ? 'went' : 'came'}`),
      onReachable: (tunnel) => this.reachable.push(tunnel),
      connect: ({ server }) => {
        const remote = new EmptyServer(server);
        this.remotes.push(remote);
        return remote;
      },
    });
  }

  write(name: string, token: string, server = 'https://203.0.113.7:6443'): void {
    const data = { kubeconfig: base64(JSON.stringify(written({ server }, { token }))) };
    this.#secrets.set({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: operatorNamespace }, data });
  }

  remove(name: string): void {
    this.#secrets.delete({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: operatorNamespace } });
  }

  of(tunnel: ClusterTunnel): ClusterChoice {
    return this.clusters.of(tunnel, specOf(tunnel.spec));
  }

  clusterOf(tunnel: ClusterTunnel): Cluster {
    const choice = this.of(tunnel);
    if ('trouble' in choice) throw new Error(choice.trouble.message);
    return choice.cluster;
  }
}

function tunnel(name: string, agent: NonNullable<ClusterTunnel['spec']>['agent'] = {}): ClusterTunnel {
  const { apiVersion, kind } = RESOURCES.clusterTunnel;
  return { apiVersion, kind, metadata: { name, uid: name }, spec: { agent } };
}

function remoteTunnel(name: string, secret: string, namespace = 'clustertunnel-agent'): ClusterTunnel {
  return tunnel(name, { placement: 'Kubeconfig', kubeconfigSecretRef: { name: secret }, namespace });
}

const namespacedPaths = (namespace: string) => [
  `/apis/apps/v1/namespaces/${namespace}/deployments`,
  `/api/v1/namespaces/${namespace}/serviceaccounts`,
  `/api/v1/namespaces/${namespace}/secrets`,
];
const clusterPaths = ['clusterrolebindings', 'clusterroles'].map(
  (each) => `/apis/rbac.authorization.k8s.io/v1/${each}`,
);

describe('operator/controller/clusters/clusters', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.clusters.stop());

  it('is the hub for Local and Manual', () => {
    for (const placement of ['Local', 'Manual'] as const) {
      const cluster = world.clusterOf(tunnel('a', { placement }));
      expect(cluster).to.include({ id: 'hub', server: 'https://hub', isRemote: false, unreachable: undefined });
    }
  });

  it('is one cluster for the same kubeconfig, and another for another', () => {
    world.write('one', 'a');
    world.write('two', 'a');
    world.write('three', 'b');
    const [one, two, three] = ['one', 'two', 'three'].map((name) => world.clusterOf(remoteTunnel(name, name)));
    expect(one).to.equal(two);
    expect(one).to.include({ server: 'https://203.0.113.7:6443', isRemote: true });
    expect(three?.id).not.to.equal(one?.id);
    expect(world.remotes).to.have.length(2);
    expect(JSON.stringify([one?.id, three?.id])).not.to.include('token');
  });

  it('tells what is wrong with the kubeconfig', () => {
    expect(world.of(remoteTunnel('a', 'gone'))).to.have.nested.property('trouble.reason', 'KubeconfigMissing');
    world.write('http', 'a', 'http://203.0.113.7');
    expect(world.of(remoteTunnel('a', 'http'))).to.have.nested.property('trouble.reason', 'KubeconfigRefused');
  });

  it('watches at the hub and at each remote exactly what the tunnels need', async () => {
    world.write('one', 'a');
    const remote = remoteTunnel('remote', 'one', 'agents');
    const local = tunnel('local');
    world.clusters.keep([remote, local, tunnel('manual', { placement: 'Manual' }), remoteTunnel('lost', 'gone')]);
    const [server] = world.remotes;
    await until(() => world.hub.watched.length === 3 && server?.watched.length === 5);
    expect(world.hub.watched).to.have.members(namespacedPaths('clustertunnel-agent'));
    expect(server?.watched).to.have.members([...namespacedPaths('agents'), ...clusterPaths]);
    world.clusters.keep([remote]);
    await until(() => world.hub.watched.length === 0);
    expect(server?.watched.length).to.equal(5);
    world.clusters.keep([local]);
    await until(() => server?.watched.length === 0 && world.hub.watched.length === 3);
    expect(server?.isClosed).to.equal(true);
  });

  it('notices one tunnel in place of another, and one that moved', async () => {
    world.clusters.keep([tunnel('a', { namespace: 'one' }), tunnel('b', { namespace: 'two' })]);
    await until(() => world.hub.watched.length === 6);
    world.clusters.keep([tunnel('b', { namespace: 'two' }), tunnel('c', { namespace: 'three' })]);
    const both = [...namespacedPaths('two'), ...namespacedPaths('three')];
    await until(() => both.every((path) => world.hub.watched.includes(path)) && world.hub.watched.length === 6);
    world.clusters.keep([tunnel('b', { namespace: 'two' }), tunnel('c', { namespace: 'two' })]);
    await until(() => world.hub.watched.length === 3);
    expect(world.hub.watched).to.have.members(namespacedPaths('two'));
  });

  it('tells the tunnels that stand there what happened, and nobody else', async () => {
    world.write('one', 'a');
    world.clusters.keep([remoteTunnel('x', 'one', 'agents'), remoteTunnel('y', 'one', 'agents'), tunnel('local')]);
    const [server] = world.remotes;
    await until(() => server?.watched.length === 5);
    const [deployments = '', accounts = ''] = namespacedPaths('agents');
    const [bindings = '', roles = ''] = clusterPaths;
    let version = 1;
    const object = (owner: string) => ({
      metadata: { name: 'a', namespace: 'agents', resourceVersion: String(++version), labels: labelsOf(owner) },
    });
    server?.tell(deployments, 'ADDED', object('x'));
    server?.tell(accounts, 'ADDED', object('local'));
    server?.tell(bindings, 'ADDED', object('stranger'));
    server?.tell(bindings, 'MODIFIED', object('y'));
    server?.tell(roles, 'ADDED', { metadata: { name: 'clustertunnel-agent', resourceVersion: '9' } });
    await until(() => world.changes.length === 4);
    expect(world.changes).to.have.members([
      'x Deployment came',
      'y ClusterRoleBinding came',
      'x ClusterRole came',
      'y ClusterRole came',
    ]);
    server?.tell(deployments, 'MODIFIED', object('y'));
    await until(() => world.changes.length === 6);
    expect(world.changes.slice(4)).to.have.members(['x Deployment came', 'y Deployment came']);
  });

  it('keeps a client and its watches as long as one tunnel uses them', async () => {
    world.write('one', 'a');
    const tunnels = [remoteTunnel('x', 'one'), remoteTunnel('y', 'one')];
    world.clusters.keep(tunnels);
    const [server] = world.remotes;
    await until(() => server?.watched.length === 5);
    world.clusters.keep(tunnels.slice(1));
    await turns();
    expect(server).to.include({ isClosed: false });
    expect(server?.watched.length).to.equal(5);
    expect(world.remotes).to.have.length(1);
  });

  it('changes clients when the kubeconfig is rotated, and cuts what still runs over the old one', async () => {
    world.write('one', 'a');
    const each = remoteTunnel('x', 'one');
    world.clusters.keep([each]);
    const old = world.clusterOf(each);
    world.write('one', 'b');
    world.clusters.keep([each]);
    const [before, after] = world.remotes;
    expect(world.clusterOf(each).id).not.to.equal(old.id);
    await until(() => before?.watched.length === 0 && after?.watched.length === 5);
    expect(before).to.include({ isClosed: true });
    const error = await old.client.get(RESOURCES.namespace, { name: 'x' }, never).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error).and.not.instanceOf(UnreachableError);
    expect((error as Error).message).to.equal('the kubeconfig was replaced, or no tunnel uses it any more');
  });

  it('closes the client when the Secret goes', async () => {
    world.write('one', 'a');
    const each = remoteTunnel('x', 'one');
    world.clusters.keep([each]);
    world.remove('one');
    world.clusters.keep([each]);
    expect(world.remotes[0]).to.include({ isClosed: true });
    expect(world.of(each)).to.have.nested.property('trouble.reason', 'KubeconfigMissing');
  });

  it('closes a client that only a look-up between two rounds has opened', () => {
    world.write('one', 'a');
    world.clusters.keep([]);
    world.clusterOf(remoteTunnel('x', 'one'));
    world.clusters.keep([]);
    expect(world.remotes[0]).to.include({ isClosed: true });
  });

  it('connects once, however often it is asked to keep the same', async () => {
    world.write('one', 'a');
    const tunnels = Array.from({ length: 100 }, (_, at) => remoteTunnel(`t${at}`, 'one'));
    for (let round = 0; round < 100; round++) world.clusters.keep([...tunnels]);
    await turns();
    expect(world.remotes).to.have.length(1);
    expect(world.remotes[0]?.calls).to.equal(5);
  });

  it('tells the tunnels of a cluster that it fell silent and that it answers again', async () => {
    world.write('one', 'a');
    world.write('two', 'a', 'https://203.0.113.8');
    const [x, y, z] = [remoteTunnel('x', 'one'), remoteTunnel('y', 'one'), remoteTunnel('z', 'two')];
    world.clusters.keep([x, y, z]);
    const [server] = world.remotes;
    if (server === undefined) throw new Error('nobody connected');
    await until(() => server.watched.length === 5);
    server.isDead = true;
    const cluster = world.clusterOf(x);
    await cluster.client.get(RESOURCES.namespace, { name: 'x' }, never).catch(() => {});
    expect(cluster.unreachable).to.equal('connect ECONNREFUSED');
    expect(world.reachable).to.deep.equal(['x', 'y']);
    server.isDead = false;
    world.clock.advance(1_000);
    await until(() => world.reachable.length === 4);
    expect(cluster.unreachable).to.equal(undefined);
  });

  it('tells the log once that a cluster is dead, however long it is', async () => {
    world.write('one', 'a');
    world.clusters.keep([remoteTunnel('x', 'one')]);
    const [server] = world.remotes;
    if (server === undefined) throw new Error('nobody connected');
    await until(() => server.watched.length === 5);
    server.isDead = true;
    server.hangUp();
    for (let second = 0; second < 1_800; second++) {
      world.clock.advance(1_000);
      await turns(1);
    }
    expect(world.warnings).to.deep.equal(['cluster does not answer']);
    const probes = 1_800 / 5;
    expect(server.calls).to.be.within(probes - 10, probes + 20);
    server.isDead = false;
    for (let second = 0; second < 60; second++) {
      world.clock.advance(1_000);
      await turns(1);
    }
    expect(server.watched).to.have.length(5);
  });

  it('costs no call for the tunnels of a cluster that is known to be dead', async () => {
    world.write('one', 'a');
    const tunnels = Array.from({ length: 50 }, (_, at) => remoteTunnel(`t${at}`, 'one'));
    world.clusters.keep(tunnels);
    const [server] = world.remotes;
    if (server === undefined) throw new Error('nobody connected');
    await until(() => server.watched.length === 5);
    server.isDead = true;
    await world
      .clusterOf(remoteTunnel('t0', 'one'))
      .client.list(RESOURCES.pod, {}, {}, never)
      .catch(() => {});
    const before = server.calls;
    for (const each of tunnels) {
      const { client } = world.clusterOf(each);
      const error = await client.list(RESOURCES.pod, {}, {}, never).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(UnreachableError);
    }
    expect(server.calls).to.equal(before);
  });
});
