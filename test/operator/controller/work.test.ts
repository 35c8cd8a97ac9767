import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { mintAgentToken } from '../../../crds/agent-token.ts';
import type { ClusterTunnel } from '../../../crds/types.ts';
import type { Caches } from '../../../operator/controller/caches.ts';
import type { Cluster } from '../../../operator/controller/clusters/clusters.ts';
import { FINALIZER } from '../../../operator/controller/names.ts';
import { Placed } from '../../../operator/controller/place/placed.ts';
import { runWorkers, type Work } from '../../../operator/controller/work.ts';
import { Workqueue } from '../../../operator/controller/workqueue.ts';
import type { KubeClient, Patch } from '../../../operator/kube/client.ts';
import { ApiError } from '../../../operator/kube/errors.ts';
import { type ObjectAddress, RESOURCES, type Resource } from '../../../operator/kube/objects.ts';
import { silentLogger } from '../../../process/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/turns.ts';

const DEAD = 40;

function tunnel(name: string): ClusterTunnel {
  const [placement, kubeconfigSecretRef] = name === 'local' ? ['Local'] : ['Kubeconfig', { name }];
  return {
    apiVersion: 'clustertunnel.io/v1alpha1',
    kind: 'ClusterTunnel',
    metadata: { name, uid: name, generation: 1, finalizers: [FINALIZER] },
    spec: { agent: { placement, ...(kubeconfigSecretRef === undefined ? {} : { kubeconfigSecretRef }) } } as object,
  };
}

/** A hub that takes everything, and notes whose status it was told. */
class WillingHub {
  readonly told: string[] = [];
  readonly client = {
    server: 'https://hub.example',
    find: () => Promise.resolve(undefined),
    list: () => Promise.resolve({ metadata: {}, items: [] }),
    create: (_: unknown, __: unknown, body: unknown) => Promise.resolve(body),
    replace: (_: unknown, __: unknown, body: unknown) => Promise.resolve(body),
    patch: (resource: Resource, { name = '', subresource }: ObjectAddress, { body }: Patch) => {
      if (resource === RESOURCES.clusterTunnel && subresource === 'status') this.told.push(name);
      return Promise.resolve(body);
    },
  } as unknown as KubeClient;
}

/** A cluster whose API server takes every call and answers none. */
function hanging(id: string, calls: Set<string>): Cluster {
  const hang = (_: unknown, __: unknown, signal: AbortSignal) =>
    new Promise((_resolve, reject) => {
      calls.add(id);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  const client = { find: hang } as unknown as KubeClient;
  return { id, client, server: `https://${id}`, isRemote: true, unreachable: undefined, deploymentOf: () => undefined };
}

describe('operator/controller/work', () => {
  const clock = new ManualClock();
  let hub: WillingHub;
  let asked: Set<string>;
  let stopping: AbortController;
  let work: Work;
  let tunnels: Map<string, ClusterTunnel>;

  beforeEach(() => {
    hub = new WillingHub();
    asked = new Set();
    stopping = new AbortController();
    const names = [...Array.from({ length: DEAD }, (_, index) => `dead-${index}`), 'local'];
    tunnels = new Map(names.map((name) => [name, tunnel(name)]));
    const here = { client: hub.client, server: hub.client.server, isRemote: false, unreachable: undefined };
    work = {
      queue: new Workqueue(clock),
      caches: { tunnels: { list: () => [...tunnels.values()] } } as unknown as Caches,
      clusters: { keep: () => {} },
      observer: {},
      log: silentLogger,
      reconcile: {
        client: hub.client,
        clock,
        log: silentLogger,
        namespace: 'system',
        gateway: () => ({ url: 'https://gateway.example', caPem: 'CA', agentImage: 'agent' }),
        placed: new Placed(clock),
        sessions: () => ({ liveSessions: 0, gateways: 0, agents: [] }),
        mint: () => mintAgentToken(randomBytes),
        unplaced: new Map(),
        paces: new Map(),
        find: (name) => tunnels.get(name),
        hasKey: () => false,
        clusterOf: ({ metadata: { name } }) => ({
          cluster: name === 'local' ? { ...here, id: 'hub', deploymentOf: () => undefined } : hanging(name, asked),
        }),
        remoteRemovalTimeoutMs: 300_000,
        removingSince: new Map(),
        record: () => {},
      },
    };
  });

  it('reconciles a Local tunnel at once, whatever the number of clusters that do not answer', async () => {
    const working = runWorkers(work, stopping.signal);
    await until(() => asked.size === DEAD && hub.told.includes('local'));
    expect(hub.told, 'those whose status was written').to.deep.equal(['local']);
    stopping.abort(new Error('the test is over'));
    await working;
  });

  it('tells of a cluster that never answers before the time of its reconcile is over', async () => {
    const working = runWorkers(work, stopping.signal);
    await until(() => asked.size === DEAD);
    clock.advance(40_000);
    await until(() => hub.told.length === DEAD + 1);
    stopping.abort(new Error('the test is over'));
    await working;
  });

  it('waits no longer for what failed in an earlier term', async () => {
    work.queue.addRateLimited('local');
    for (let failure = 0; failure < 20; failure++) work.queue.addRateLimited('local');
    const failing = { ...work.reconcile, clusterOf: () => refusing(hub.client) };
    const working = runWorkers({ ...work, reconcile: failing }, stopping.signal);
    await until(() => hub.told.includes('local'));
    const before = hub.told.length;
    clock.advance(5);
    await until(() => hub.told.length > before);
    stopping.abort(new Error('the test is over'));
    await working;
  });
});

/** The hub, which refuses every object of an agent. */
function refusing(client: KubeClient) {
  const refused = () => Promise.reject(new ApiError({ status: 422, reason: 'Invalid', message: 'no' }));
  const cluster: Cluster = {
    id: 'hub',
    client: { ...client, find: refused },
    server: 'https://hub.example',
    isRemote: false,
    unreachable: undefined,
    deploymentOf: () => undefined,
  };
  return { cluster };
}
