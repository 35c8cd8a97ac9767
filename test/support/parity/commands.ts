/** One command of a user's day. */
export interface Command {
  readonly args: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Lines may come in any order: what maps hold. */
  readonly isUnordered?: boolean;
  /** How many lines of progress come before the last one depends on when the command began to look. */
  readonly isProgress?: boolean;
}

export const NAMESPACE = 'parity';

const configMap = (data: Record<string, string>) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: NAMESPACE }, data });

const statefulSet = (args: readonly string[]) =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web', namespace: NAMESPACE },
    spec: {
      serviceName: 'web',
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              ...{ name: 'web', image: 'chatter:v1', args },
              env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
            },
          ],
        },
      },
    },
  });

const inNamespace = (...args: string[]): Command => ({ args: ['-n', NAMESPACE, ...args] });
const apply = (input: string, ...args: string[]): Command => ({ args: ['apply', '-f', '-', ...args], input });

const ROLLED_OUT: Command = {
  ...inNamespace('rollout', 'status', 'statefulset/web', '--timeout=60s'),
  isProgress: true,
};

/** Discovery and questions that change nothing. */
export const READING: readonly Command[] = [
  { args: ['version', '-o', 'json'] },
  { args: ['api-resources'] },
  { args: ['api-resources', '--verbs=list', '-o', 'name'] },
  { args: ['api-versions'] },
  { args: ['explain', 'deployment.spec.strategy'] },
  { args: ['explain', 'pods', '--recursive'] },
  { args: ['explain', 'clustertunnels'] },
  { args: ['cluster-info'] },
  { args: ['get', '--raw', '/'] },
  { args: ['get', '--raw', '/api'] },
  { args: ['get', '--raw', '/apis'] },
  { args: ['get', '--raw', '/openapi/v2'] },
  { args: ['get', '--raw', '/openapi/v3'] },
  { args: ['get', '--raw', '/openapi/v3/apis/apps/v1'] },
  { args: ['get', '--raw', '/healthz'] },
  { args: ['get', '--raw', '/readyz?verbose'] },
  { args: ['get', '--raw', '/nowhere'] },
  { args: ['get', 'nodes'] },
  { args: ['get', 'namespaces', '-o', 'name'] },
  { args: ['get', 'clusterroles', '--chunk-size=7', '-o', 'name'] },
  { args: ['get', 'services', '-A'] },
  { args: ['get', 'nothing'] },
  { args: ['top', 'pods'] },
  { args: ['auth', 'whoami'] },
  { args: ['auth', 'can-i', 'create', 'deployments'] },
  { args: ['auth', 'can-i', 'use', 'the-force'] },
  { args: ['auth', 'can-i', '--list'], isUnordered: true },
];

/** A day of work in one namespace, in order. */
export const WORKING: readonly Command[] = [
  { args: ['create', 'namespace', NAMESPACE] },
  { args: ['create', 'namespace', NAMESPACE] },
  apply(configMap({ color: 'red' })),
  apply(configMap({ color: 'red' })),
  { args: ['diff', '-f', '-'], input: configMap({ color: 'red' }) },
  { args: ['diff', '-f', '-'], input: configMap({ color: 'blue' }) },
  apply(configMap({ color: 'blue' }), '--dry-run=server', '-o', 'json'),
  apply(configMap({ color: 'green' }), '--server-side', '--field-manager=first'),
  apply(configMap({ color: 'green' }), '--server-side', '--field-manager=first', '--force-conflicts'),
  apply(configMap({ color: 'white' }), '--server-side', '--field-manager=second'),
  inNamespace('get', 'configmap', 'settings', '-o', 'json', '--show-managed-fields'),
  inNamespace('patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"size":"big"}}'),
  inNamespace('patch', 'configmap', 'settings', '--type=json', '-p', '[{"op":"remove","path":"/data/size"}]'),
  inNamespace('patch', 'configmap', 'settings', '--type=json', '-p', '[{"op":"remove","path":"/data/size"}]'),
  { ...inNamespace('edit', 'configmap', 'settings'), environment: { KUBE_EDITOR: 'sed -i s/green/black/' } },
  inNamespace('label', 'configmap', 'settings', 'team=blue'),
  inNamespace('annotate', 'configmap', 'settings', 'note=Grüße ✓'),
  inNamespace('get', 'configmap', '-l', 'team=blue', '-o', 'yaml'),
  inNamespace('get', 'configmap', 'settings', '-o', 'jsonpath={.data.color}'),
  inNamespace('get', 'configmap', 'settings', '-o', 'custom-columns=NAME:.metadata.name,COLOR:.data.color'),
  inNamespace('describe', 'configmap', 'settings'),
  inNamespace('create', 'secret', 'generic', 'keys', '--from-literal=a=b'),
  inNamespace('get', 'secret', 'keys', '-o', 'yaml'),
  { args: ['create', '-f', '-'], input: configMap({ color: 'red' }) },
  { args: ['replace', '-f', '-'], input: configMap({ color: 'red' }) },
  { args: ['create', '-f', '-'], input: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"parity"}}' },
  {
    args: ['apply', '-f', '-'],
    input: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"X Y","namespace":"parity"}}',
  },
  apply(statefulSet(['one'])),
  ROLLED_OUT,
  inNamespace('wait', 'pod/web-0', '--for=condition=Ready', '--timeout=60s'),
  inNamespace('get', 'pods'),
  inNamespace('logs', 'web-0'),
  inNamespace('logs', 'web-0', '-c', 'nobody'),
  inNamespace('logs', 'web-1'),
  inNamespace('exec', 'web-0', '--', 'true'),
  inNamespace('set', 'env', 'statefulset/web', 'MOOD=good'),
  ROLLED_OUT,
  inNamespace('rollout', 'history', 'statefulset/web'),
  inNamespace('rollout', 'undo', 'statefulset/web'),
  ROLLED_OUT,
  inNamespace('scale', 'statefulset/web', '--replicas=0'),
  inNamespace('wait', 'pod/web-0', '--for=delete', '--timeout=60s'),
  inNamespace('expose', 'statefulset', 'web', '--port=80', '--cluster-ip=None'),
  inNamespace('autoscale', 'statefulset', 'web', '--max=3'),
  inNamespace('create', 'role', 'reader', '--verb=get', '--resource=pods'),
  inNamespace('auth', 'reconcile', '-f', '/dev/null'),
  inNamespace('delete', 'configmap', 'settings'),
  inNamespace('delete', 'configmap', 'settings'),
  inNamespace('delete', 'configmap', 'settings', '--ignore-not-found'),
  inNamespace('delete', 'statefulset', 'web', '--cascade=foreground'),
  { args: ['delete', 'namespace', NAMESPACE, '--timeout=90s'] },
];
