import { expect } from 'chai';
import { encodeAgentKeys } from '../../../crds/agent-token.ts';
import type { ClusterTunnel } from '../../../crds/types.ts';
import { createCaches, findAgentKey } from '../../../operator/controller/caches.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, TUNNEL_LABEL } from '../../../operator/controller/names.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { type DataObject, type KubeObject, RESOURCES, type Resource } from '../../../operator/kube/objects.ts';
import type { Query } from '../../../operator/kube/transport.ts';
import { silentLogger } from '../../../process/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/turns.ts';
import { base64, written } from '../kube/inline-kubeconfigs.ts';

const namespace = 'clustertunnel-system';
const labels = { [TUNNEL_LABEL]: 'prod', [MANAGED_BY_LABEL]: MANAGED_BY };

function tunnel(name: string, secret?: string): ClusterTunnel & KubeObject {
  const agent = secret === undefined ? {} : { placement: 'Kubeconfig' as const, kubeconfigSecretRef: { name: secret } };
  const { apiVersion, kind } = RESOURCES.clusterTunnel;
  return { apiVersion, kind, metadata: { name, uid: `uid-${name}`, resourceVersion: '1' }, spec: { agent } };
}

function tunnelWithFallback(name: string, secret: string): ClusterTunnel & KubeObject {
  return { ...tunnel(name), spec: { fallback: { kubeconfigSecretRef: { name: secret } } } };
}

function secret(name: string, data: Record<string, string>, changes: Partial<DataObject['metadata']> = {}): DataObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, resourceVersion: '1', ...changes }, data };
}

function keysFor(name: string, keyId: string): Record<string, string> {
  const facts = { sha256: 'a'.repeat(64), createdAt: '2026-01-01T00:00:00Z', tunnel: name, tunnelUid: `uid-${name}` };
  return encodeAgentKeys([{ keyId, ...facts }]);
}

/** An API server that holds these objects, honours our label selectors, and tells events when asked to. */
class Served {
  readonly lists: { resource: Resource; query: Query }[] = [];
  readonly #objects: readonly KubeObject[];
  readonly #watchers: { resource: Resource; query: Query; tell: (event: object) => void }[] = [];

  constructor(objects: readonly KubeObject[]) {
    this.#objects = objects;
  }

  async list<T>(resource: Resource, _: unknown, query: Query) {
    this.lists.push({ resource, query });
    const items = this.#objects.filter((each) => each.kind === resource.kind && isSelected(each, query));
    return { metadata: { resourceVersion: '1' }, items: items as unknown as T[] };
  }

  async *watch(resource: Resource, _: unknown, query: Query, signal: AbortSignal): AsyncIterable<unknown> {
    const events: object[] = [];
    let wake = () => {};
    const tell = (event: object) => {
      events.push(event);
      wake();
    };
    this.#watchers.push({ resource, query, tell });
    signal.addEventListener('abort', () => wake(), { once: true });
    while (!signal.aborted) {
      yield* events.splice(0);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  get watches(): number {
    return this.#watchers.length;
  }

  tell(type: string, object: KubeObject): void {
    for (const { resource, query, tell } of this.#watchers) {
      if (resource.kind === object.kind && isSelected(object, query)) tell({ type, object });
    }
  }
}

function isSelected({ metadata }: KubeObject, { labelSelector }: Query): boolean {
  if (labelSelector === undefined) return true;
  return Object.entries(labels).every(([name]) => metadata.labels?.[name] !== undefined);
}

async function running(...objects: KubeObject[]) {
  const served = new Served(objects);
  const told: string[] = [];
  const stop = new AbortController();
  const caches = createCaches({
    client: served as unknown as KubeClient,
    clock: new ManualClock(),
    log: silentLogger,
    random: () => 0.5,
    namespace,
    onTunnel: () => {},
    onBelonging: () => {},
    onKubeconfig: (name) => told.push(name),
  });
  const run = caches.run(stop.signal);
  await caches.synced;
  await until(() => served.watches === 4);
  const end = async () => {
    stop.abort(new Error('test over'));
    await run;
  };
  return { served, caches, told, end };
}

describe('operator/controller/caches', () => {
  it('finds a key in the Secret that we keep it in', async () => {
    const { caches, end } = await running(
      tunnel('prod'),
      secret('clustertunnel-keys-prod', keysFor('prod', 'key1'), { labels }),
    );
    expect(findAgentKey(caches, 'key1')?.tunnel).to.equal('prod');
    await end();
  });

  it('takes no Secret of a user for a key, whatever its labels and however it is named', async () => {
    const { caches, end } = await running(
      tunnel('prod'),
      secret('prod-kubeconfig', keysFor('prod', 'key1'), { labels }),
      secret('clustertunnel-keys-prod', keysFor('prod', 'key2')),
      secret('clustertunnel-keys-test', keysFor('prod', 'key3'), { labels: { ...labels, [TUNNEL_LABEL]: 'test' } }),
      secret('clustertunnel-keys-dev', keysFor('prod', 'key4'), { labels }),
    );
    for (const keyId of ['key1', 'key2', 'key3', 'key4']) expect(findAgentKey(caches, keyId)).to.equal(undefined);
    await end();
  });

  it('tells each tunnel whose kubeconfig came, changed or went, and no other', async () => {
    const { served, caches, told, end } = await running(
      tunnel('one', 'prod-kubeconfig'),
      tunnelWithFallback('two', 'prod-kubeconfig'),
      tunnel('three', 'other'),
      tunnel('local'),
    );
    const ref = { name: 'prod-kubeconfig', key: 'kubeconfig' };
    expect(caches.kubeconfigs.find(ref)).to.have.nested.property('trouble.reason', 'KubeconfigMissing');
    const config = (token: string) => base64(JSON.stringify(written({ server: 'https://203.0.113.7' }, { token })));
    served.tell('ADDED', secret('prod-kubeconfig', { kubeconfig: config('a') }, { resourceVersion: '2' }));
    await until(() => told.length === 2);
    expect(caches.kubeconfigs.find(ref)).to.have.nested.property('kubeconfig.token', 'a');
    served.tell('MODIFIED', secret('prod-kubeconfig', { kubeconfig: config('b') }, { resourceVersion: '3' }));
    await until(() => told.length === 4);
    expect(caches.kubeconfigs.find(ref)).to.have.nested.property('kubeconfig.token', 'b');
    served.tell('DELETED', secret('prod-kubeconfig', { kubeconfig: config('b') }, { resourceVersion: '4' }));
    await until(() => told.length === 6);
    expect(caches.kubeconfigs.find(ref)).to.have.nested.property('trouble.reason', 'KubeconfigMissing');
    expect(told.sort()).to.deep.equal(['one', 'one', 'one', 'two', 'two', 'two']);
    await end();
  });
});
