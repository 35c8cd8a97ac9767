import { expect } from 'chai';
import type { Cluster } from '../../../../operator/controller/clusters/clusters.ts';
import { removeAgent } from '../../../../operator/controller/remove/remove-agent.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { ApiError, UnreachableError } from '../../../../operator/kube/errors.ts';
import type { ObjectAddress, Resource } from '../../../../operator/kube/objects.ts';
import { silentLogger } from '../../../../process/log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { specOf } from '../status/observation.ts';

const signal = new AbortController().signal;
const tunnel = {
  apiVersion: 'clustertunnel.io/v1alpha1',
  kind: 'ClusterTunnel',
  metadata: { name: 'prod', uid: 'u' },
};
const forbidden = new ApiError({ status: 403, reason: 'Forbidden', message: 'not yours' });
const silent = new UnreachableError('DELETE', { cause: new Error('connect ECONNREFUSED') });

interface World {
  /** Kind → what its deletion throws. */
  readonly refuses?: Readonly<Record<string, Error>>;
  readonly isRemote?: boolean;
  readonly unreachable?: string;
  /** Other agents are bound in this cluster. */
  readonly bindings?: number;
  /** Who has a hand in the ClusterRole; undefined: there is none. */
  readonly managers?: readonly string[];
  readonly agentNamespace?: string;
}

/** Removes "prod" from a cluster; tells what was asked for, and what is left. */
async function removed({ refuses = {}, isRemote = true, bindings = 0, managers, ...world }: World) {
  const asked: string[] = [];
  const client = {
    delete: async ({ kind }: Resource, { name }: ObjectAddress) => {
      asked.push(`${kind} ${name}`);
      if (refuses[kind] !== undefined) throw refuses[kind];
      return true;
    },
    list: () => Promise.resolve({ metadata: {}, items: Array.from({ length: bindings }) }),
    find: () => Promise.resolve(managers && { metadata: { managedFields: managers.map((manager) => ({ manager })) } }),
  } as unknown as KubeClient;
  const cluster: Cluster = {
    id: 'c',
    client,
    server: 'https://c.example',
    isRemote,
    unreachable: world.unreachable,
    deploymentOf: () => undefined,
  };
  const clock = new ManualClock();
  const deps = { clock, log: silentLogger, namespace: 'clustertunnel-system', clusterOf: () => ({ cluster }) };
  const placement = isRemote ? { placement: 'Kubeconfig' as const, kubeconfigSecretRef: { name: 'prod' } } : {};
  const spec = specOf({ agent: { ...placement, namespace: world.agentNamespace ?? 'clustertunnel-agent' } });
  const leftover = await removeAgent(deps, tunnel, spec, signal);
  return { asked, leftover, pendingTimers: clock.pending };
}

const OBJECTS = [
  'Deployment clustertunnel-agent-prod',
  'Secret clustertunnel-agent-prod',
  'ServiceAccount clustertunnel-agent-prod',
  'ClusterRoleBinding clustertunnel-agent-prod',
];
const ROLE = 'ClusterRole clustertunnel-agent';
const OURS = 'clustertunnel-controller';

describe('operator/controller/remove/remove-agent', () => {
  it('removes the agent, what it runs before what it may do', async () => {
    expect(await removed({})).to.deep.equal({ asked: OBJECTS, leftover: undefined, pendingTimers: 0 });
  });

  const roles: Record<string, { world: World; isRemoved: boolean }> = {
    'that only we made': { world: { managers: [OURS, OURS] }, isRemoved: true },
    'that another agent is bound to': { world: { managers: [OURS], bindings: 1 }, isRemoved: false },
    'that somebody else has a hand in': { world: { managers: [OURS, 'kubectl'] }, isRemoved: false },
    'that nobody owns by name': { world: { managers: [] }, isRemoved: false },
    'of the hub, which config/rbac ships': { world: { managers: [OURS], isRemote: false }, isRemoved: false },
  };
  for (const [what, { world, isRemoved }] of Object.entries(roles)) {
    it(`${isRemoved ? 'removes' : 'keeps'} a ClusterRole ${what}`, async () => {
      const { asked, leftover } = await removed(world);
      expect(asked.includes(ROLE)).to.equal(isRemoved);
      expect(leftover).to.equal(undefined);
    });
  }

  it('removes what it may when something is refused, and names the rest', async () => {
    const { asked, leftover } = await removed({ refuses: { Secret: forbidden } });
    expect(asked).to.deep.equal(OBJECTS);
    expect(leftover?.objects).to.deep.equal(['Secret clustertunnel-agent/clustertunnel-agent-prod']);
    expect(leftover?.failure).to.include({ reason: 'Forbidden' });
  });

  it('asks a cluster that does not answer once, and names everything from there on', async () => {
    const { asked, leftover } = await removed({ refuses: { Secret: silent } });
    expect(asked).to.deep.equal(OBJECTS.slice(0, 2));
    expect(leftover?.objects.length).to.equal(4);
    expect(leftover).to.deep.include({ server: 'https://c.example' });
  });

  it('asks a cluster that is known not to answer nothing', async () => {
    const { asked, leftover } = await removed({ unreachable: 'connect ECONNREFUSED' });
    expect(asked).to.deep.equal([]);
    expect(leftover?.failure.message).to.match(/^https:\/\/c\.example: connect ECONNREFUSED/);
  });

  it('passes over a namespace of the hub where it never had rights', async () => {
    const refuses = { Deployment: forbidden, Secret: forbidden, ServiceAccount: forbidden };
    expect((await removed({ refuses, isRemote: false })).leftover).to.equal(undefined);
  });

  it('does not pass over what it may not remove beside its own objects, or outside of namespaces', async () => {
    const own = { refuses: { Secret: forbidden }, isRemote: false, agentNamespace: 'clustertunnel-system' };
    expect((await removed(own)).leftover?.failure.reason).to.equal('Forbidden');
    const binding = { refuses: { ClusterRoleBinding: forbidden }, isRemote: false };
    expect((await removed(binding)).leftover?.failure.reason).to.equal('Forbidden');
  });
});
