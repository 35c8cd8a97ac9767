import fc from 'fast-check';
import type { SpecInput } from '../../../crds/types.ts';
import type { SessionFacts } from '../../../operator/controller/status/observe.ts';
import { RESOURCES } from '../../../operator/kube/objects.ts';
import type { ClusterName, Fault, Moment } from './chaos.ts';
import { type Made, madeFor, theKeys } from './made.ts';
import { KUBECONFIG_SECRETS, nobody } from './world.ts';

/** One thing that happens to a tunnel, its objects, its operator or the API servers. */
export type Step =
  | ByHand
  /** In the middle of a reconcile, which waits until it is done. */
  | { readonly do: 'meanwhile'; readonly moment: Moment; readonly step: ByHand }
  /** Deleted, and made again under the same name: as soon as it is free, by force, or only if it is free at once. */
  | { readonly do: 'recreate'; readonly spec: SpecInput; readonly how: 'patient' | 'forced' | 'hasty' }
  | { readonly do: 'putKubeconfig'; readonly name: string; readonly content: number | string | undefined }
  | { readonly do: 'sessions'; readonly facts: SessionFacts }
  | { readonly do: 'rollOut' }
  | { readonly do: 'fail'; readonly fault: Fault }
  | { readonly do: 'cutWatches' }
  | { readonly do: 'die'; readonly moment: Moment }
  | { readonly do: 'stop' }
  | { readonly do: 'start' }
  | { readonly do: 'wait'; readonly calls: number };

/** What somebody does to an object with kubectl. */
export type ByHand =
  | { readonly do: 'editSpec'; readonly patch: object }
  | { readonly do: 'editTunnel'; readonly patch: object; readonly subresource?: string }
  | { readonly do: 'editObject'; readonly made: Made; readonly patch: object }
  | { readonly do: 'deleteObject'; readonly made: Made }
  /** Another object under the same name and with the same labels. */
  | { readonly do: 'replaceObject'; readonly made: Made; readonly by: object };

/** What happens to one tunnel, from its creation on. */
export interface History {
  readonly spec: SpecInput;
  readonly steps: readonly Step[];
  /** What the gateways know when all is over. */
  readonly facts: SessionFacts;
}

/** Histories of a tunnel whose agent stands there. */
export function historyAt(at: ClusterName): fc.Arbitrary<History> {
  return fc.record({
    spec: initialSpec,
    steps: fc.array(stepAt(at), { minLength: 3, maxLength: 12, size: 'max' }),
    facts,
  });
}

function stepAt(at: ClusterName): fc.Arbitrary<Step> {
  const byHand = byHandAt(at);
  return fc.oneof(
    { weight: 14, arbitrary: byHand },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('meanwhile'), moment, step: byHand }) },
    { weight: 7, arbitrary: faultAt(at).map((fault): Step => ({ do: 'fail', fault })) },
    ...(at === 'remote' ? [{ weight: 4, arbitrary: putKubeconfig }] : []),
    ...STEPS,
  );
}

function byHandAt(at: ClusterName): fc.Arbitrary<ByHand> {
  const made = fc.constantFrom(...madeFor(at));
  const editObject = made.chain((each) =>
    fc.constantFrom(...patchesOf(each)).map((patch): ByHand => ({ do: 'editObject', made: each, patch })),
  );
  return fc.oneof(
    { weight: 5, arbitrary: specPatchAt(at).map((patch): ByHand => ({ do: 'editSpec', patch })) },
    { weight: 5, arbitrary: editObject },
    { weight: 3, arbitrary: made.map((each): ByHand => ({ do: 'deleteObject', made: each })) },
    { weight: 1, arbitrary: fc.constantFrom(...madeFor(at).flatMap(impostorsOf)) },
    { weight: 1, arbitrary: tunnelEdit },
  );
}

const agent = (patch: object) => ({ agent: patch });
const PROXY = { proxyURL: 'http://proxy.example:3128' };
const SPEC_PATCHES: readonly fc.Arbitrary<object>[] = [
  fc.integer({ min: 1, max: 4 }).map((replicas) => agent({ replicas })),
  fc.constantFrom('registry.example/agent:v1', 'registry.example/agent:v2', null).map((image) => agent({ image })),
  fc.constantFrom('Always', null).map((imagePullPolicy) => agent({ imagePullPolicy })),
  fc.boolean().map((suspend) => ({ suspend })),
  fc
    .constantFrom<object | null>({ requests: { cpu: '0.5' } }, { limits: { memory: '1Gi', cpu: 1 } }, null)
    .map((resources) => agent({ resources })),
  fc.constantFrom('5s', '1m', null).map((drain) => ({ timeouts: { drain } })),
  fc.constantFrom(PROXY, { ...PROXY, noProxy: '10.0.0.0/8' }, { proxyURL: null, noProxy: null }).map(agent),
  fc.constantFrom('2s', null).map((minBackoff) => ({ reconnect: { minBackoff } })),
  fc.constantFrom(8, null).map((maxConcurrentRequests) => ({ limits: { maxConcurrentRequests } })),
];

function specPatchAt(at: ClusterName): fc.Arbitrary<object> {
  const otherSecret = fc.constantFrom(...KUBECONFIG_SECRETS).map((name) => agent({ kubeconfigSecretRef: { name } }));
  return fc.oneof(...SPEC_PATCHES, ...(at === 'remote' ? [otherSecret] : []));
}

/** What hands do to objects, within what is ours of them. */
const LABEL_PATCHES: readonly object[] = [
  { metadata: { labels: null } },
  { metadata: { labels: { 'app.kubernetes.io/managed-by': 'somebody' } } },
  { metadata: { labels: { 'clustertunnel.io/tunnel': 'other' } } },
];
const PATCHES: Readonly<Record<string, readonly object[]>> = {
  [RESOURCES.serviceAccount.kind]: [{ automountServiceAccountToken: true }, { automountServiceAccountToken: null }],
  [RESOURCES.clusterRoleBinding.kind]: [
    { subjects: null },
    { subjects: [{ kind: 'ServiceAccount', name: 'other', namespace: 'default' }] },
  ],
  [RESOURCES.clusterRole.kind]: [
    { rules: null },
    { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  ],
  [RESOURCES.secret.kind]: [
    { data: { token: 'eA==' } },
    { data: { token: null } },
    { data: { 'ca.crt': 'eA==' } },
    { data: null },
    { immutable: true },
  ],
  [RESOURCES.deployment.kind]: [
    { spec: { replicas: 7 } },
    { spec: { replicas: 0 } },
    { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } },
    { spec: { template: { spec: { terminationGracePeriodSeconds: 1 } } } },
    { spec: { template: { spec: { volumes: null, containers: [{ name: 'agent', image: 'other' }] } } } },
  ],
};
const KEY_PATCHES: readonly object[] = [{ data: null }, { data: { a234567abc: 'eyJ9' } }, { immutable: true }];

/** Objects with a field that no update can change. */
const IMPOSTORS: Readonly<Record<string, readonly object[]>> = {
  [RESOURCES.clusterRoleBinding.kind]: [
    { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' } },
  ],
  [RESOURCES.secret.kind]: [
    { type: 'example.com/other', data: { token: 'eA==' } },
    { immutable: true, data: { token: 'eA==' } },
  ],
  [RESOURCES.deployment.kind]: [{ spec: { selector: { matchLabels: { app: 'other' } }, template: podOf('other') } }],
};

function podOf(app: string) {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: app, image: app }] } };
}

function impostorsOf(made: Made): ByHand[] {
  return (IMPOSTORS[made.resource.kind] ?? []).map((by) => ({ do: 'replaceObject', made, by }));
}

function patchesOf(made: Made): readonly object[] {
  if (made === theKeys) return [...KEY_PATCHES, ...LABEL_PATCHES];
  const own = PATCHES[made.resource.kind] ?? [];
  // The role is nobody's in particular: it has none of these labels.
  return made.resource === RESOURCES.clusterRole ? own : [...own, ...LABEL_PATCHES];
}

function faultAt(at: ClusterName): fc.Arbitrary<Fault> {
  return fc.record({
    at: at === 'remote' ? fc.constantFrom<ClusterName>('hub', 'remote') : fc.constant<ClusterName>('hub'),
    trouble: fc.constantFrom('internal', 'conflict', 'forbidden', 'throttled', 'unreachable'),
    when: fc.constantFrom('before', 'after'),
    of: fc.constantFrom('writes', 'writes', 'calls', 'watches'),
    calls: fc.integer({ min: 1, max: 4 }),
  });
}

/** Gone, nonsense, or another credential for the same cluster. */
const putKubeconfig: fc.Arbitrary<Step> = fc
  .record({
    name: fc.constantFrom(...KUBECONFIG_SECRETS),
    content: fc.constantFrom<number | string | undefined>(undefined, 'clusters: []', 0, 1, 1),
  })
  .map((how): Step => ({ do: 'putKubeconfig', ...how }));

const initialSpec: fc.Arbitrary<SpecInput> = fc.constantFrom<SpecInput>(
  {},
  { suspend: true },
  { agent: { replicas: 3 }, timeouts: { drain: '1s' } },
);

const upstream = { reason: 'ProbeSucceeded', message: 'The API server answered.', observedAtMs: 0 };
const connected: SessionFacts = {
  liveSessions: 2,
  gateways: 1,
  agents: [{ instanceId: 'a', version: '0.1.0' }],
  upstream: { ...upstream, healthy: true, kubernetesVersion: 'v1.36.3' },
};
const facts: fc.Arbitrary<SessionFacts> = fc.constantFrom(
  nobody,
  connected,
  { ...connected, upstream: { ...upstream, healthy: false, reason: 'Timeout', message: 'No answer in 5 s.' } },
  { ...nobody, lastDisconnect: { time: '2026-01-01T00:00:00Z', reason: 'SILENT' } },
);

const tunnelEdit: fc.Arbitrary<ByHand> = fc.constantFrom<ByHand>(
  { do: 'editTunnel', patch: { metadata: { finalizers: null } } },
  { do: 'editTunnel', patch: { metadata: { labels: { team: 'a' } } } },
  { do: 'editTunnel', patch: { status: { conditions: null, agents: null } }, subresource: 'status' },
);
/** A reconcile takes about a dozen calls. */
const moment: fc.Arbitrary<Moment> = fc.record({
  afterCalls: fc.integer({ min: 0, max: 14 }),
  when: fc.constantFrom('before', 'after'),
});
const recreation: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('recreate'),
  spec: initialSpec,
  how: fc.constantFrom('patient', 'forced', 'hasty'),
});

const STEPS: readonly { readonly weight: number; readonly arbitrary: fc.Arbitrary<Step> }[] = [
  { weight: 3, arbitrary: recreation },
  { weight: 3, arbitrary: facts.map((each): Step => ({ do: 'sessions', facts: each })) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'rollOut' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'cutWatches' }) },
  { weight: 4, arbitrary: moment.map((each): Step => ({ do: 'die', moment: each })) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'stop' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'start' }) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 20 }).map((calls): Step => ({ do: 'wait', calls })) },
];
