import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import { parseAgentToken } from '../../crds/agent-token.ts';
import { agentName } from '../../operator/controller/names.ts';
import { ApiError } from '../../operator/kube/errors.ts';
import { type KubeObject, RESOURCES, type Resource } from '../../operator/kube/objects.ts';
import { describeOnHub, until } from '../operator/kube/hub.ts';
import {
  type Address,
  belongings,
  ControllerFixture,
  keysAddress,
  OPERATOR_NAMESPACE,
} from '../support/controller-fixture.ts';

const signal = new AbortController().signal;
const other = { app: 'other' };
const otherPods = { metadata: { labels: other }, spec: { containers: [{ name: 'a', image: 'a' }] } };

/** What somebody made by hand in place of each kind. */
const BY_HAND: readonly (readonly [what: string, kind: string, changes: object])[] = [
  [
    'a ClusterRoleBinding to another role',
    'ClusterRoleBinding',
    { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' } },
  ],
  ['a Secret of another type', 'Secret', { type: 'example.com/other' }],
  ['a Secret marked immutable', 'Secret', { immutable: true, data: { token: 'YQ==' } }],
  [
    'a Deployment with another selector',
    'Deployment',
    { spec: { selector: { matchLabels: other }, template: otherPods } },
  ],
];

describeOnHub('integration/controller-anew', function () {
  this.timeout(90_000);
  let fixture: ControllerFixture;
  before(async () => {
    fixture = await ControllerFixture.start('anew');
  });
  after(async () => {
    await fixture?.stop();
  });

  const create = async (name: string) => {
    await fixture.create(name);
    await until(`all objects of ${name}`, async () => (await fixture.made(name)) === 4);
    await fixture.quiet();
  };

  /** Deletes the object and makes it with other fields while no operator runs. */
  const swap = (resource: Resource, address: Address, changes: object, labels?: object) =>
    fixture.restart(async () => {
      const found = await fixture.get(resource, address);
      if (found === undefined) throw new Error(`no ${resource.kind}`);
      const { name, namespace, labels: ours } = found.metadata;
      await fixture.hub.client.delete(resource, address, signal);
      const metadata = { name, namespace, labels: labels ?? ours };
      await fixture.hub.client.create(resource, { namespace }, { ...found, metadata, ...changes }, signal);
    });
  const placeOf = (name: string, kind: string) => {
    const found = belongings(name).find(([resource]) => resource.kind === kind);
    if (found === undefined) throw new Error(`no ${kind}`);
    return found;
  };

  describe('an object of ours with a field that can never change', () => {
    before(() => create('ours'));

    for (const [what, kind, changes] of BY_HAND) {
      it(`is made anew: ${what}`, async () => {
        const [resource, address] = placeOf('ours', kind);
        await swap(resource, address, changes);
        await until('what is desired', async () => {
          const now = (await fixture.get(resource, address)) as (KubeObject & Record<string, unknown>) | undefined;
          const kept = Object.entries(changes).filter(([field, value]) => isDeepStrictEqual(now?.[field], value));
          return now !== undefined && kept.length === 0;
        });
        await fixture.has('ours', 'CredentialsReady', 'TokenIssued');
        await fixture.has('ours', 'AgentAvailable', 'NoReplicaReady');
        await fixture.quiet();
      });
    }

    it('stays where it is not labelled as ours, and the message says what to do', async () => {
      const [resource, address] = placeOf('ours', 'ClusterRoleBinding');
      const changes = BY_HAND[0]?.[2] ?? {};
      await swap(resource, address, changes, { team: 'a' });
      const { message } = await fixture.has('ours', 'CredentialsReady', 'ApplyFailed');
      expect(message).to.match(/cannot change roleRef.*not labelled clustertunnel\.io\/tunnel=ours.*delete it/);
      expect(await fixture.get(resource, address)).to.deep.include(changes);
      await fixture.hub.client.delete(resource, address, signal);
      await fixture.has('ours', 'CredentialsReady', 'TokenIssued');
    });
  });

  describe('keys that were marked immutable', () => {
    const freeze = (name: string) => fixture.merge(RESOURCES.secret, keysAddress(name), { immutable: true });

    it('take a new one all the same', async () => {
      await create('frozen');
      await freeze('frozen');
      // A reconcile under way would put the very token back that it had read.
      await fixture.quiet();
      const before = await fixture.tokenOf('frozen');
      await fixture.hub.client.delete(...placeOf('frozen', 'Secret'), signal);
      await until('another token', async () => ![before, ''].includes(await fixture.tokenOf('frozen')));
      const keyId = parseAgentToken(await fixture.tokenOf('frozen'))?.keyId ?? '';
      await until('its key', () => fixture.controller.findAgentKey(keyId) !== undefined);
      expect(await fixture.keyCount('frozen'), 'the key of running agents stays').to.equal(2);
    });

    it('keep no deleted tunnel', async () => {
      await freeze('frozen');
      await fixture.remove('frozen');
      await fixture.gone('frozen');
      expect(await fixture.get(RESOURCES.secret, keysAddress('frozen'))).to.equal(undefined);
    });
  });

  it('is in no hurry with what is refused in other words each time', async () => {
    let times = 0;
    fixture.disturb = (write) => {
      if (!write.endsWith('clustertunnel-agent-wordy')) return;
      throw new ApiError({ status: 403, reason: 'Forbidden', message: `denied, request ${++times}` });
    };
    try {
      await fixture.create('wordy');
      await fixture.has('wordy', 'CredentialsReady', 'Forbidden');
      await fixture.quiet();
      expect((await fixture.condition('wordy', 'CredentialsReady'))?.message).to.contain(`request ${times}.`);
    } finally {
      fixture.disturb = () => {};
    }
  });

  it('repairs what another keeps changing, but not as fast as it can', async () => {
    await create('fought');
    const [resource, address] = placeOf('fought', 'ServiceAccount');
    const label = 'app.kubernetes.io/component';
    const isTheirs = async () => (await fixture.get(resource, address))?.metadata.labels?.[label] === 'theirs';
    const change = () => fixture.merge(resource, address, { metadata: { labels: { [label]: 'theirs' } } });
    const startedMs = performance.now();
    for (let round = 0; round < 4; round++) {
      await change();
      await until('the repair', async () => !(await isTheirs()));
    }
    expect(performance.now() - startedMs, 'four repairs, in ms').to.be.greaterThan(4 * 400);
  });

  it('says in Ready what the hub does not let a deletion do, and goes on when it may', async () => {
    await create('held');
    await fixture.hub.kubectl('-n', OPERATOR_NAMESPACE, 'delete', 'rolebinding', 'clustertunnel-operator');
    await fixture.remove('held');
    const { message } = await fixture.has('held', 'Ready', 'RemovingAgent');
    expect(message).to.match(/clustertunnel-keys-held.*forbidden.*apply config\/rbac\.$/);
    await fixture.hub.kubectl('apply', '-k', 'config/rbac');
    await fixture.merge(RESOURCES.clusterTunnel, { name: 'held' }, { metadata: { annotations: { look: 'again' } } });
    await fixture.gone('held');
    expect(
      await fixture.get(RESOURCES.deployment, { namespace: 'clustertunnel-agent', name: agentName('held') }),
    ).to.equal(undefined);
  });
});
