import { type Command, failing } from './command.ts';
import { configMap, EVENT, NAMESPACE, SIGNING_REQUEST, statefulSet, TWICE } from './objects.ts';

const all = (...args: string[]): Command => ({ args });
const inside = (...args: string[]): Command => ({ args: ['-n', NAMESPACE, ...args] });
const given = (input: string, ...args: string[]): Command => ({ args: [...args, '-f', '-'], input });
const apply = (input: string, ...args: string[]): Command => given(input, 'apply', ...args);

/** Tells how a rollout went on until it was done. */
const rolledOut = (what: string): Command => ({
  ...inside('rollout', 'status', what, '--timeout=60s'),
  isProgress: true,
});

const NAMESPACES: readonly Command[] = [
  all('create', 'namespace', NAMESPACE),
  failing(all('create', 'namespace', NAMESPACE)),
  inside('wait', 'serviceaccount/default', '--for=create', '--timeout=60s'),
];

const APPLYING: readonly Command[] = [
  apply(configMap({ color: 'red' })),
  apply(configMap({ color: 'red' })),
  inside('apply', 'view-last-applied', 'configmap/settings', '-o', 'json'),
  given(configMap({ color: 'red' }), 'diff'),
  failing(given(configMap({ color: 'blue' }), 'diff')),
  failing(given(configMap({ color: 'blue' }), 'diff', '--server-side', '--force-conflicts')),
  apply(configMap({ color: 'blue' }), '--dry-run=server', '-o', 'json'),
  failing(apply(configMap({ color: 'green' }), '--server-side', '--field-manager=first')),
  apply(configMap({ color: 'green' }), '--server-side', '--field-manager=first', '--force-conflicts'),
  failing(apply(configMap({ color: 'white' }), '--server-side', '--field-manager=second')),
  failing(apply('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"X Y","namespace":"parity"}}')),
  failing(apply('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"parity"},"colour":1}')),
  failing(apply('{"apiVersion":"example.com/v1","kind":"Nothing","metadata":{"name":"x"}}')),
];

const CHANGING: readonly Command[] = [
  inside('get', 'configmap', 'settings', '-o', 'json', '--show-managed-fields'),
  inside('patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"size":"big"}}'),
  inside('patch', 'configmap', 'settings', '--type=json', '-p', '[{"op":"remove","path":"/data/size"}]'),
  failing(inside('patch', 'configmap', 'settings', '--type=json', '-p', '[{"op":"remove","path":"/data/size"}]')),
  { ...inside('edit', 'configmap', 'settings'), environment: { KUBE_EDITOR: 'sed -i s/green/black/' } },
  { ...inside('edit', 'configmap', 'settings'), environment: { KUBE_EDITOR: 'true' } },
  inside('label', 'configmap', 'settings', 'team=blue'),
  failing(inside('label', 'configmap', 'settings', 'team=red')),
  inside('annotate', 'configmap', 'settings', 'note=Grüße ✓'),
  inside('get', 'configmap', '-l', 'team=blue', '-o', 'yaml'),
  inside('get', 'configmap', 'settings', '-o', 'jsonpath={.data.color}'),
  inside('get', 'configmap', 'settings', '-o', 'custom-columns=NAME:.metadata.name,COLOR:.data.color'),
  inside('get', 'configmap', 'settings', '--watch', '--output-watch-events', '--request-timeout=2s'),
  inside('wait', 'configmap/settings', '--for=jsonpath={.data.color}=black', '--timeout=30s'),
  failing(inside('wait', 'configmap/settings', '--for=jsonpath={.data.color}=never', '--timeout=1s')),
  given(EVENT, 'create'),
  inside('events', '--for=configmap/settings'),
  inside('get', 'events', '--field-selector=involvedObject.name=settings'),
  inside('describe', 'configmap', 'settings'),
  inside('create', 'secret', 'generic', 'keys', '--from-literal=a=b'),
  inside('get', 'secret', 'keys', '-o', 'yaml'),
  failing(given(configMap({ color: 'red' }), 'create')),
  given(configMap({ color: 'red' }), 'replace'),
  given(configMap({ color: 'red' }), 'replace', '--force'),
  given(configMap({ color: 'red' }), 'replace', '--raw', `/api/v1/namespaces/${NAMESPACE}/configmaps/settings`),
  failing(given('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"parity"}}', 'create')),
];

const STATEFUL: readonly Command[] = [
  apply(statefulSet(['one'])),
  rolledOut('statefulset/web'),
  inside('wait', 'pod/web-0', '--for=condition=Ready', '--timeout=60s'),
  inside('get', 'pods'),
  inside('logs', 'web-0'),
  inside('logs', 'statefulset/web', '--tail=1', '--timestamps'),
  inside('logs', '-l', 'app=web', '--prefix'),
  failing(inside('logs', 'web-0', '--previous')),
  failing(inside('logs', 'web-0', '-c', 'nobody')),
  failing(inside('logs', 'web-1')),
  failing(inside('exec', 'web-0', '--', 'true')),
  failing(inside('attach', 'web-0')),
  failing(inside('port-forward', 'pod/web-0', ':8080')),
  failing(inside('cp', 'web-0:/etc/hostname', '/dev/null')),
  inside('debug', 'pod/web-0', '--image=chatter:v1', '--container=debugger', '--profile=general', '--attach=false'),
  inside('get', 'pod', 'web-0', '-o', 'jsonpath={.spec.ephemeralContainers[*].name}'),
  failing(inside('get', '--raw', `/api/v1/namespaces/${NAMESPACE}/pods/http:web-0:8080/proxy/`)),
  inside('set', 'env', 'statefulset/web', 'MOOD=good'),
  rolledOut('statefulset/web'),
  inside('rollout', 'history', 'statefulset/web'),
  inside('rollout', 'undo', 'statefulset/web'),
  rolledOut('statefulset/web'),
  inside('scale', 'statefulset/web', '--replicas=0'),
  inside('wait', 'pod/web-0', '--for=delete', '--timeout=60s'),
  inside('get', 'statefulset', 'web', '--subresource=scale'),
  failing(inside('expose', 'statefulset', 'web', '--port=80')),
  inside('create', 'service', 'clusterip', 'web', '--clusterip=None'),
  inside('autoscale', 'statefulset', 'web', '--max=3'),
];

const DEPLOYING: readonly Command[] = [
  inside('create', 'deployment', 'idle', '--image=chatter:v1', '--replicas=0'),
  rolledOut('deployment/idle'),
  inside('set', 'image', 'deployment/idle', 'chatter=chatter:v2'),
  rolledOut('deployment/idle'),
  inside('rollout', 'history', 'deployment/idle', '--revision=2'),
  inside('rollout', 'pause', 'deployment/idle'),
  failing(inside('rollout', 'undo', 'deployment/idle')),
  inside('rollout', 'resume', 'deployment/idle'),
  failing(inside('rollout', 'undo', 'deployment/idle', '--to-revision=9')),
  failing(inside('patch', 'deployment', 'idle', '-p', '{"spec":{"template":{"spec":{"hostNetwork":"no"}}}}')),
  inside('patch', 'deployment', 'idle', '-p', '{"spec":{"minReadySeconds":1}}'),
  failing(
    inside('patch', 'deployment', 'idle', '--subresource=status', '--type=merge', '-p', '{"status":{"replicas":-1}}'),
  ),
];

const ADMINISTERING: readonly Command[] = [
  inside('create', 'role', 'reader', '--verb=get', '--resource=pods'),
  inside('create', 'token', 'default', '--duration=10m', '-o', 'jsonpath={.spec.expirationSeconds}'),
  failing(inside('create', 'token', 'nobody')),
  inside('auth', 'reconcile', '-f', '/dev/null'),
  given(TWICE, 'create', '--dry-run=server'),
  inside('run', 'once', '--image=chatter:v1', '--dry-run=server', '-o', 'name'),
  all('taint', 'nodes', '--all', 'parity=yes:PreferNoSchedule'),
  failing(all('taint', 'nodes', '--all', 'parity=yes:PreferNoSchedule')),
  all('taint', 'nodes', '--all', 'parity-'),
  all('cordon', '-l', 'kubernetes.io/hostname'),
  all('uncordon', '-l', 'kubernetes.io/hostname'),
  given(SIGNING_REQUEST, 'create'),
  all('certificate', 'approve', NAMESPACE),
  failing(all('certificate', 'deny', NAMESPACE)),
  all('delete', 'csr', NAMESPACE),
];

const DELETING: readonly Command[] = [
  inside('delete', 'configmap', 'settings', '--dry-run=server'),
  inside('delete', 'configmap', 'settings'),
  failing(inside('delete', 'configmap', 'settings')),
  inside('delete', 'configmap', 'settings', '--ignore-not-found'),
  inside('delete', 'statefulset', 'web', '--cascade=foreground', '--wait', '--timeout=60s'),
  inside('delete', 'deployment', 'idle', '--cascade=orphan'),
  inside('delete', 'secrets,roles', '--all'),
  all('delete', 'namespace', NAMESPACE, '--timeout=90s'),
];

/** A day of work in one namespace, in order. */
export const WORKING: readonly Command[] = [
  ...NAMESPACES,
  ...APPLYING,
  ...CHANGING,
  ...STATEFUL,
  ...DEPLOYING,
  ...ADMINISTERING,
  ...DELETING,
];
