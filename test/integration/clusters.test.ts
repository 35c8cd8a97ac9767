import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { kubeconfig } from '../../hack/lab/cluster/kubeconfig.ts';
import { type Caches, createCaches } from '../../operator/controller/caches.ts';
import { type Cluster, type ClusterChoice, Clusters } from '../../operator/controller/clusters/clusters.ts';
import { agentName, labelsOf } from '../../operator/controller/names.ts';
import {
  agentClusterRole,
  agentClusterRoleBinding,
  agentServiceAccount,
} from '../../operator/controller/objects/access.ts';
import { applyObject } from '../../operator/kube/apply.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { UnreachableError } from '../../operator/kube/errors.ts';
import { type DataObject, type KubeObject, RESOURCES } from '../../operator/kube/objects.ts';
import { systemClock } from '../../process/clock.ts';
import { silentLogger } from '../../process/log.ts';
import { specOf } from '../operator/controller/status/observation.ts';
import { describeOnHub, type Hub, startHub, until } from '../operator/kube/hub.ts';

const CONFIG = fileURLToPath(new URL('../../config/default', import.meta.url));
const signal = new AbortController().signal;
const operatorNamespace = 'clustertunnel-system';
const namespace = 'clustertunnel-agent';
const { apiVersion, kind } = RESOURCES.clusterTunnel;
/** What we watch at a remote cluster, each over a connection of its own. */
const WATCHES = 5;

describeOnHub('integration/clusters', function () {
  this.timeout(120_000);
  let hub: Hub;
  let remote: Hub;
  let front: Front;
  let caches: Caches;
  let clusters: Clusters;
  let reflecting: Promise<unknown>;
  const stop = new AbortController();
  /** "tunnel Kind came", as the watches told. */
  const changes: string[] = [];

  const tunnelOf = (name: string) => {
    const tunnel = caches.tunnels.get(name);
    if (tunnel === undefined) throw new Error(`no tunnel ${name}`);
    return tunnel;
  };
  const choose = (name: string): ClusterChoice => {
    clusters.keep(caches.tunnels.list());
    return clusters.of(tunnelOf(name), specOf(tunnelOf(name).spec));
  };
  const clusterOf = (name: string): Cluster => {
    const choice = choose(name);
    if ('trouble' in choice) throw new Error(choice.trouble.message);
    return choice.cluster;
  };
  const reasonOf = (name: string) => {
    const choice = choose(name);
    return 'trouble' in choice ? choice.trouble.reason : 'well';
  };
  const createTunnel = async (name: string, secret: string) => {
    const spec = { agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: secret } } };
    await hub.client.create(RESOURCES.clusterTunnel, {}, { apiVersion, kind, metadata: { name }, spec }, signal);
    await until('the tunnel to be seen', () => caches.tunnels.get(name) !== undefined);
  };
  const writeSecret = (name: string, text: string) => {
    const data = { kubeconfig: Buffer.from(text).toString('base64') };
    const metadata = { name, namespace: operatorNamespace };
    return applyObject(hub.client, { apiVersion: 'v1', kind: 'Secret', metadata, data } as DataObject, signal);
  };
  const tokenKubeconfig = async () => {
    const { stdout } = await remote.kubectl('-n', 'default', 'create', 'token', 'remote-admin');
    const input = { cluster: 'remote', url: front.url, caPem: remote.cluster.caPem, user: 'remote-admin' };
    return JSON.stringify(kubeconfig({ ...input, credential: { token: stdout.trim() } }));
  };
  const whoAmI = async ({ client }: Cluster) => {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const resource = { ...review, plural: 'selfsubjectreviews' };
    const { status } = await client.create<{ status: { userInfo: { username: string } } }>(
      resource,
      {},
      review,
      signal,
    );
    return status.userInfo.username;
  };
  const toldOf = (what: string) => until(what, () => changes.includes(what));

  before(async () => {
    [hub, remote] = await Promise.all([startHub('hub'), startHub('remote')]);
    front = await Front.open(remote.cluster.url);
    await hub.kubectl('apply', '-k', CONFIG);
    await until('the CRD to be served', async () => {
      const { exitCode } = await hub.kubectl('get', 'ct').catch(() => ({ exitCode: 1 }));
      return exitCode === 0;
    });
    await remote.kubectl('create', 'namespace', namespace);
    await remote.kubectl('-n', 'default', 'create', 'serviceaccount', 'remote-admin');
    const subject = '--serviceaccount=default:remote-admin';
    await remote.kubectl('create', 'clusterrolebinding', 'remote-admin', '--clusterrole=cluster-admin', subject);
    const { stdout } = await hub.kubectl('-n', operatorNamespace, 'create', 'token', 'clustertunnel-operator');
    const client = await hub.clientAs(stdout.trim());
    const shared = { client, clock: systemClock, log: silentLogger, random: Math.random };
    caches = createCaches({
      ...shared,
      namespace: operatorNamespace,
      onTunnel: () => {},
      onBelonging: () => {},
      onKubeconfig: (tunnel) => changes.push(`${tunnel} kubeconfig`),
    });
    clusters = new Clusters({
      ...shared,
      hub: client,
      kubeconfigs: caches.kubeconfigs,
      defaultAgentNamespace: namespace,
      onChange: (tunnel, { object, isGone }) => changes.push(`${tunnel} ${object.kind} ${isGone ? 'went' : 'came'}`),
      onReachable: (tunnel) => changes.push(`${tunnel} reachable`),
    });
    reflecting = caches.run(stop.signal);
    await caches.synced;
  });

  after(async () => {
    remote?.cluster.apiServer.thaw();
    await clusters?.stop();
    stop.abort(new Error('test over'));
    await reflecting;
    await front?.close();
    await remote?.stop();
    await hub?.stop();
  });

  beforeEach(() => {
    changes.length = 0;
  });

  it('speaks with a token', async () => {
    await createTunnel('token', 'token-kubeconfig');
    expect(reasonOf('token')).to.equal('KubeconfigMissing');
    await writeSecret('token-kubeconfig', await tokenKubeconfig());
    await until('the kubeconfig', () => reasonOf('token') === 'well');
    const cluster = clusterOf('token');
    expect(cluster).to.include({ isRemote: true, server: front.url, unreachable: undefined });
    expect(await whoAmI(cluster)).to.equal('system:serviceaccount:default:remote-admin');
  });

  it('speaks with a client certificate, as another user of the same cluster', async () => {
    await writeSecret('certificate-kubeconfig', readFileSync(remote.cluster.kubeconfigPath, 'utf8'));
    await createTunnel('certificate', 'certificate-kubeconfig');
    await until('the kubeconfig', () => reasonOf('certificate') === 'well');
    const cluster = clusterOf('certificate');
    expect(cluster.id).not.to.equal(clusterOf('token').id);
    expect(await whoAmI(cluster)).not.to.include('serviceaccount');
  });

  it('refuses a kubeconfig that runs a program, by the name of the field', async () => {
    const config = JSON.parse(await tokenKubeconfig());
    config.users[0].user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'aws' } };
    await createTunnel('exec', 'exec-kubeconfig');
    await writeSecret('exec-kubeconfig', JSON.stringify(config));
    await until('the verdict', () => reasonOf('exec') === 'KubeconfigRefused');
    expect(choose('exec')).to.have.nested.property(
      'trouble.message',
      'Secret clustertunnel-system/exec-kubeconfig, key "kubeconfig": users[0].user.exec: exec plugins are not run by the operator: use a token, or client-certificate-data and client-key-data.',
    );
  });

  it('tells of drift in the namespace and outside of it, and of no stranger', async () => {
    const { client, deploymentOf } = clusterOf('token');
    await makeAgent(client, 'token');
    await makeAgent(client, 'stranger');
    for (const what of ['Deployment', 'ServiceAccount', 'ClusterRoleBinding']) await toldOf(`token ${what} came`);
    await toldOf('token ClusterRole came');
    await until('the Deployment', () => deploymentOf(namespace, agentName('token')) !== undefined);
    changes.length = 0;
    const name = agentName('token');
    await remote.client.delete(RESOURCES.deployment, { namespace, name }, signal);
    await remote.client.delete(RESOURCES.serviceAccount, { namespace, name }, signal);
    await remote.client.delete(RESOURCES.clusterRoleBinding, { name }, signal);
    await remote.client.delete(RESOURCES.clusterRole, { name: 'clustertunnel-agent' }, signal);
    for (const what of ['Deployment', 'ServiceAccount', 'ClusterRoleBinding', 'ClusterRole']) {
      await toldOf(`token ${what} went`);
    }
    await toldOf('certificate ClusterRole went');
    await until('the Deployment to be gone', () => deploymentOf(namespace, name) === undefined);
    expect(changes.filter((change) => change.startsWith('stranger'))).to.deep.equal([]);
  });

  it('changes clients when the Secret is rotated, and closes the old connections', async () => {
    const before = clusterOf('token');
    await until('all watches', () => front.sockets.size >= WATCHES);
    const old = [...front.sockets];
    await writeSecret('token-kubeconfig', await tokenKubeconfig());
    await toldOf('token kubeconfig');
    expect(clusterOf('token').id).not.to.equal(before.id);
    await until('the old connections to be closed', () => old.every((socket) => !front.sockets.has(socket)));
    expect(await whoAmI(clusterOf('token'))).to.equal('system:serviceaccount:default:remote-admin');
    await makeAgent(remote.client, 'token');
    await toldOf('token Deployment came');
  });

  it('fails within its deadline when the API server hangs, at once from then on, and recovers', async () => {
    const cluster = clusterOf('token');
    const get = () => cluster.client.get(RESOURCES.namespace, { name: namespace }, signal);
    await get();
    remote.cluster.apiServer.freeze();
    expect(await errorOf(get())).to.be.instanceOf(UnreachableError);
    expect(cluster.unreachable).to.be.a('string');
    expect(changes).to.include('token reachable');
    const opened = front.opened;
    for (let call = 0; call < 100; call++) expect(await errorOf(get())).to.be.instanceOf(UnreachableError);
    expect(front.opened).to.be.at.most(opened + 1);
    remote.cluster.apiServer.thaw();
    await until('recovery', () => cluster.unreachable === undefined);
    await get();
    changes.length = 0;
    await remote.client.delete(RESOURCES.deployment, { namespace, name: agentName('token') }, signal);
    await toldOf('token Deployment went');
  });

  it('follows the cluster through a crash of its API server', async () => {
    const cluster = clusterOf('token');
    await remote.cluster.apiServer.kill();
    await until('the watches to see it', () => cluster.unreachable !== undefined);
    await remote.cluster.apiServer.start();
    await until('recovery', () => cluster.unreachable === undefined);
    await makeAgent(remote.client, 'token');
    await toldOf('token Deployment came');
    await until('the Deployment', () => cluster.deploymentOf(namespace, agentName('token')) !== undefined);
  });

  it('tells that the kubeconfig is missing once its Secret is deleted, and lets go of the cluster', async () => {
    await hub.client.delete(RESOURCES.secret, { namespace: operatorNamespace, name: 'token-kubeconfig' }, signal);
    await toldOf('token kubeconfig');
    expect(reasonOf('token')).to.equal('KubeconfigMissing');
    await until('all connections to be closed', () => front.sockets.size === 0);
    await writeSecret('token-kubeconfig', await tokenKubeconfig());
    await until('the kubeconfig', () => reasonOf('token') === 'well');
    await toldOf('token Deployment came');
  });
});

/** What an agent consists of, without its Secret; the Deployment runs nothing. */
async function makeAgent(client: KubeClient, tunnel: string): Promise<void> {
  const labels = labelsOf(tunnel);
  const selector = { 'app.kubernetes.io/instance': tunnel };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'agent', image: 'none' }] } };
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: agentName(tunnel), namespace, labels },
    spec: { replicas: 0, selector: { matchLabels: selector }, template },
  } as KubeObject;
  const place = { tunnel, namespace };
  const objects = [agentClusterRole(), agentServiceAccount(place), agentClusterRoleBinding(place), deployment];
  for (const object of objects) await applyObject(client, object, signal);
}

function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Stands before an API server and counts its connections; bytes go through as they are. */
class Front {
  /** Open ones of clients. */
  readonly sockets = new Set<Socket>();
  opened = 0;
  readonly #server: Server;

  private constructor(target: URL) {
    this.#server = createServer((socket) => {
      this.opened++;
      this.sockets.add(socket);
      const upstream = connect({ host: target.hostname, port: Number(target.port) });
      socket.once('close', () => {
        this.sockets.delete(socket);
        upstream.destroy();
      });
      upstream.once('close', () => socket.destroy());
      for (const each of [socket, upstream]) each.on('error', () => each.destroy());
      socket.pipe(upstream).pipe(socket);
    });
  }

  static async open(target: string): Promise<Front> {
    const front = new Front(new URL(target));
    await new Promise<void>((resolve) => front.#server.listen(0, '127.0.0.1', resolve));
    return front;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `https://127.0.0.1:${address.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
