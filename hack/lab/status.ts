import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ApiClient } from './api/client.ts';
import type { Node } from './api/objects.ts';
import type { Pod } from './api/pod.ts';
import { LEDGER_FOLDER } from './cluster/cluster.ts';
import { clientOf } from './kubeconfig-client.ts';
import { nodeHealth } from './kubelet-node/health.ts';
import { isAlive } from './processes/identity.ts';
import { type ProcessRecord, readLedger } from './processes/ledger.ts';
import type { ClusterState, LabState } from './state.ts';

/** component, pid, address, healthy */
export type StatusRow = readonly [string, string, string, string];

/** The lab as it is right now, asked, not remembered. */
export async function statusOf(state: LabState): Promise<StatusRow[]> {
  const supervisor = isAlive(state.supervisor);
  const clusters = await Promise.all(state.clusters.map(clusterRows));
  const address = state.gatewayUrl === undefined ? '' : new URL(state.gatewayUrl).host;
  return [
    ['supervisor', String(state.supervisor.pid), '', supervisor ? state.phase : 'dead'],
    ['gateway address', '', address, await gatewayHealth(address)],
    ...clusters.flat(),
  ];
}

async function clusterRows(cluster: ClusterState): Promise<StatusRow[]> {
  const records = readLedger(join(cluster.dir, LEDGER_FOLDER)).toSorted((a, b) => b.stopOrder - a.stopOrder);
  const client = clientOf(cluster.kubeconfig);
  try {
    const components = records.filter(({ pod }) => pod === undefined);
    const rows = await Promise.all(components.map((record) => componentRow(cluster, client, record)));
    const pods = await podsOf(client);
    const isReal = components.some(({ name }) => name === 'kubelet');
    return [
      ...rows,
      await nodeRow(cluster, client),
      ...(isReal ? realPodRows(cluster, pods) : podRows(cluster, pods, records)),
    ];
  } finally {
    client.close();
  }
}

async function componentRow(cluster: ClusterState, client: ApiClient, record: ProcessRecord): Promise<StatusRow> {
  const healthy = isAlive(record) && (await isHealthy(cluster, client, record));
  return [`${cluster.name} ${record.name}`, String(record.pid), record.address ?? '', yesOrNo(healthy)];
}

function isHealthy({ dir }: ClusterState, client: ApiClient, { name, address = '' }: ProcessRecord): Promise<boolean> {
  if (name === 'kube-apiserver') return client.isOk('/readyz');
  const ofNode = nodeHealth(name, address);
  if (ofNode !== undefined) return ofNode;
  const read = (file: string): string => readFileSync(join(dir, 'pki', file), 'utf8');
  const url = `https://${address}`;
  if (name !== 'etcd') return askOnce(new ApiClient({ url, caPem: read('ca.crt') }), '/healthz');
  const credential = { certificatePem: read('etcd-client.crt'), keyPem: read('etcd-client.key') };
  return askOnce(new ApiClient({ url, caPem: read('etcd-ca.crt'), ...credential }), '/health');
}

async function askOnce(client: ApiClient, path: string): Promise<boolean> {
  const isOk = await client.isOk(path);
  client.close();
  return isOk;
}

async function nodeRow(cluster: ClusterState, client: ApiClient): Promise<StatusRow> {
  const address = cluster.podRange ?? '';
  try {
    const { items } = await client.get<{ items: Node[] }>('/api/v1/nodes');
    const ready = items.every(
      ({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True',
    );
    return [`${cluster.name} node`, '', address, yesOrNo(ready && items.length > 0)];
  } catch {
    return [`${cluster.name} node`, '', address, 'unknown'];
  }
}

async function podsOf(client: ApiClient): Promise<readonly Pod[]> {
  try {
    return (await client.get<{ items: Pod[] }>('/api/v1/pods')).items;
  } catch {
    return []; // the API server is away: its row says so
  }
}

/** Pods of a real node: their processes are its own business. */
function realPodRows(cluster: ClusterState, pods: readonly Pod[]): StatusRow[] {
  return pods.flatMap(({ metadata, status }) =>
    (status?.containerStatuses ?? []).map(({ name, ready }): StatusRow => {
      const component = `${cluster.name} ${metadata.namespace}/${metadata.name}/${name}`;
      return [component, '', status?.podIP ?? '', yesOrNo(ready)];
    }),
  );
}

function podRows(cluster: ClusterState, pods: readonly Pod[], records: readonly ProcessRecord[]): StatusRow[] {
  return records.flatMap(({ pid, pod }) => {
    if (pod === undefined) return [];
    const status = pods.find(({ metadata }) => metadata.uid === pod.uid)?.status?.containerStatuses;
    const ready = status?.find(({ name }) => name === pod.container)?.ready;
    const component = `${cluster.name} ${pod.namespace}/${pod.pod}/${pod.container}`;
    return [[component, String(pid), pod.podIP, ready === undefined ? 'unknown' : yesOrNo(ready)] as const];
  });
}

/** Nobody listens: no. It takes the connection and resets it: no pod of the gateway is ready. */
function gatewayHealth(address: string): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  if (port === '') return Promise.resolve('no');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    const say = (answer: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(300, () => say('yes'));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      say(error.code === 'ECONNREFUSED' ? 'no' : 'no gateway pod is ready'),
    );
    socket.once('close', () => say('no gateway pod is ready'));
  });
}

function yesOrNo(healthy: boolean): string {
  return healthy ? 'yes' : 'no';
}
