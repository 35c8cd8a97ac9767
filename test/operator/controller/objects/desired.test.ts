import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { specSchema } from '../../../../crds/schema.ts';
import type { SpecInput } from '../../../../crds/types.ts';
import { agentClusterRole, ownClusterRole } from '../../../../operator/controller/objects/access.ts';
import { desired } from '../../../../operator/controller/objects/desired.ts';
import type { KubeObject } from '../../../../operator/kube/objects.ts';
import { type Leaf, leavesOf } from '../../../crds/spec-candidates.ts';
import { specOf } from '../status/observation.ts';
import { GOLDEN_CASES, renderGolden, unlikeDefaults } from './golden-cases.ts';

const GOLDEN = new URL('../../../golden/desired/', import.meta.url);
/** Complete, in the order in which they are applied; the others hold what differs from the first of these. */
const COMPLETE: readonly string[] = ['defaults', 'manual-manifest'];

/** Fields that no manifest shows, and how they reach who needs them. */
const NOT_IN_MANIFESTS: Readonly<Record<string, string>> = {
  'spec.agent.kubeconfigSecretRef.name': 'says where the manifests go, not what they are',
  'spec.agent.kubeconfigSecretRef.key': 'says where the manifests go, not what they are',
  'spec.fallback.kubeconfigSecretRef.name': 'read by the gateway',
  'spec.fallback.kubeconfigSecretRef.key': 'read by the gateway',
  'spec.access.mode': 'over the session',
  'spec.access.readOnly': 'over the session',
  'spec.access.userPrefix': 'over the session',
  'spec.access.groupPrefix': 'over the session',
  'spec.access.impersonate.users': 'over the session, and in the manifest of a Manual tunnel',
  'spec.access.impersonate.groups': 'over the session, and in the manifest of a Manual tunnel',
  'spec.access.impersonate.extras': 'over the session, and in the manifest of a Manual tunnel',
  'spec.limits.maxConcurrentRequests': 'over the session',
  'spec.limits.maxLongRunningRequests': 'over the session',
  'spec.limits.maxQueuedRequests': 'the gateway alone needs it',
  'spec.limits.maxStreamsPerSession': 'over the session',
  'spec.limits.rateLimit.requestsPerSecond': 'the gateway alone needs it',
  'spec.limits.rateLimit.burst': 'the gateway alone needs it',
  'spec.limits.maxStreamBufferBytes': 'over the session',
  'spec.limits.maxBufferBytes': 'over the session',
  'spec.timeouts.connect': 'over the session',
  'spec.timeouts.upstreamHeaders': 'over the session',
  'spec.timeouts.request': 'over the session',
  'spec.timeouts.backpressure': 'over the session',
  'spec.timeouts.controlWrite': 'over the session',
  'spec.timeouts.dataWrite': 'over the session',
  'spec.timeouts.disconnectGrace': 'over the session',
  'spec.circuitBreaker.failureThreshold': 'read by the gateway',
  'spec.circuitBreaker.window': 'read by the gateway',
  'spec.circuitBreaker.openDuration': 'read by the gateway',
  'spec.circuitBreaker.maxOpenDuration': 'read by the gateway',
  'spec.cache.enabled': 'read by the gateway',
  'spec.cache.ttl': 'read by the gateway',
  'spec.cache.maxBytes': 'read by the gateway',
  'spec.compression.mode': 'over the session',
  'spec.compression.minBytes': 'over the session',
  'spec.health.interval': 'over the session',
  'spec.health.timeout': 'read by the gateway',
  'spec.health.failureThreshold': 'read by the gateway',
  'spec.health.minFreeDiskBytes': 'read by the controller',
};

interface RoleOf extends KubeObject {
  readonly rules: readonly object[];
}

function expectGolden(name: string, objects: readonly KubeObject[]): void {
  const file = new URL(`${name}.yaml`, GOLDEN);
  const text = objects.map((object) => `---\n${stringify(object, { aliasDuplicateObjects: false })}`).join('');
  if (process.env['UPDATE_GOLDEN'] === '1' || !existsSync(file)) writeFileSync(file, text);
  expect(text, `${name}: UPDATE_GOLDEN=1 rewrites it`).to.equal(readFileSync(file, 'utf8'));
}

/** Whether any value of the field changes what is rendered, when nothing else changes. */
function isRendered({ pairs }: Leaf): boolean {
  return pairs.some(([one, other]) => {
    const [before, after] = [one, other].map((spec) => JSON.stringify(renderGolden(spec as SpecInput)));
    return before !== after;
  });
}

function hasGoldenCase({ path }: Leaf): boolean {
  const names = path.split('.').slice(1);
  return Object.values(GOLDEN_CASES).some((spec) => {
    const value = names.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], spec);
    return value !== undefined;
  });
}

describe('operator/controller/objects/desired', () => {
  for (const [name, input] of Object.entries(GOLDEN_CASES)) {
    it(`renders ${name} as its golden file says`, () => {
      const objects = renderGolden(input);
      expectGolden(name, COMPLETE.includes(name) ? objects : unlikeDefaults(objects));
    });
  }

  it('keeps no golden file of a case that is gone', () => {
    const files = readdirSync(GOLDEN).map((file) => file.replace(/\.yaml$/, ''));
    expect(files).to.have.members(Object.keys(GOLDEN_CASES));
  });

  for (const leaf of leavesOf(specSchema)) {
    const reason = NOT_IN_MANIFESTS[leaf.path];
    if (reason === undefined) {
      it(`renders ${leaf.path}, and has a golden case for it`, () => {
        expect(isRendered(leaf), 'changes a manifest: else say in NOT_IN_MANIFESTS how it gets there').to.equal(true);
        expect(hasGoldenCase(leaf), 'is in GOLDEN_CASES').to.equal(true);
      });
    } else {
      it(`renders the same whatever ${leaf.path} is: ${reason}`, () => expect(isRendered(leaf)).to.equal(false));
    }
  }

  it('knows every field that it says is in no manifest', () => {
    const paths = leavesOf(specSchema).map(({ path }) => path);
    expect(paths).to.include.members(Object.keys(NOT_IN_MANIFESTS));
  });

  it('applies the namespace first at a cluster that knows nothing of us, and our ClusterRole before its binding', () => {
    const kinds = renderGolden(GOLDEN_CASES['with-kubeconfig'] ?? {}).map(({ kind }) => kind);
    const inOrder = ['Namespace', 'ClusterRole', 'ServiceAccount', 'ClusterRoleBinding', 'Secret', 'Deployment'];
    expect(kinds).to.deep.equal(inOrder);
  });

  it('renders the ClusterRole that config/rbac ships', () => {
    const shipped = new URL('../../../../config/rbac/agent_cluster_role.yaml', import.meta.url);
    expect(agentClusterRole()).to.deep.equal(parse(readFileSync(shipped, 'utf8')));
  });

  it('gives no agent a right to a reserved extra, whatever an old tunnel names', () => {
    const keys = ['authentication.kubernetes.io/credential-id', 'team', 'x.k8s.io/y', '*', 'team'];
    const { rules } = ownClusterRole('c1', { users: [], groups: [], extras: keys }) as RoleOf;
    const ofExtras = rules.filter((rule) => JSON.stringify(rule).includes('userextras'));
    const apiGroups = ['authentication.k8s.io'];
    expect(ofExtras).to.deep.equal([{ apiGroups, resources: ['userextras/team'], verbs: ['impersonate'] }]);
  });

  it('ships the same rule in config/extras', () => {
    const shipped = new URL('../../../../config/extras/cluster_role.yaml', import.meta.url);
    const { rules } = ownClusterRole('c1', { users: [], groups: [], extras: ['example.com/scopes'] }) as RoleOf;
    expect((parse(readFileSync(shipped, 'utf8')) as RoleOf).rules).to.deep.equal([rules[2]]);
  });

  it('property: the same input gives the same manifests, and none touches its input', () => {
    const gateway = { url: 'https://gateway.example:8443', caPem: 'CA', agentImage: 'clustertunnel:0.1.0' };
    const input = fc.record({
      replicas: fc.integer({ min: 1, max: 10 }),
      image: fc.string({ minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(input, (agent) => {
        const spec = Object.freeze(specOf({ agent }));
        const once = desired({ tunnel: 'prod', spec, gateway, token: 'T' });
        expect(JSON.stringify(desired({ tunnel: 'prod', spec, gateway, token: 'T' }))).to.equal(JSON.stringify(once));
      }),
    );
  });
});
