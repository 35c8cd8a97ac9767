import { expect } from 'chai';
import { renderManifest } from '../../cli/render-manifest.ts';
import { parseAgentToken } from '../../crds/agent-token.ts';
import {
  agentName,
  MANAGED_BY_LABEL,
  SERVICE_ACCOUNT_ANNOTATION,
  TUNNEL_LABEL,
} from '../../operator/controller/names.ts';
import { type KubeObject, RESOURCES } from '../../operator/kube/objects.ts';
import { describeOnHub, until } from '../operator/kube/hub.ts';
import {
  AGENT_NAMESPACE,
  belongings,
  ControllerFixture,
  keysAddress,
  OPERATOR_NAMESPACE,
} from '../support/controller-fixture.ts';

const signal = new AbortController().signal;
const deploymentOf = (name: string) => ({ namespace: AGENT_NAMESPACE, name: agentName(name) });

interface Scaled extends KubeObject {
  readonly spec: { readonly replicas: number; readonly template: KubeObject };
}

describeOnHub('integration/controller-life', function () {
  this.timeout(90_000);
  let fixture: ControllerFixture;
  before(async () => {
    fixture = await ControllerFixture.start('life');
  });
  after(async () => {
    await fixture?.stop();
  });

  const made = (name: string) => until(`all objects of ${name}`, async () => (await fixture.made(name)) === 4);
  const replicasOf = async (name: string) =>
    (await fixture.get<Scaled>(RESOURCES.deployment, deploymentOf(name)))?.spec.replicas;

  describe('drift', () => {
    before(async () => {
      await fixture.create('drift');
      await made('drift');
      await fixture.quiet();
    });

    it('asks for no change once all is as desired, whatever statuses and sessions do', async () => {
      fixture.writes.length = 0;
      const status = { observedGeneration: 1, replicas: 2, unavailableReplicas: 2 };
      await fixture.merge(RESOURCES.deployment, { ...deploymentOf('drift'), subresource: 'status' }, { status });
      for (let look = 0; look < 20; look++) fixture.controller.enqueue('drift');
      await fixture.quiet();
      const applied = fixture.writes.filter((write) => !write.includes('ClusterTunnel'));
      expect(applied, 'changes of objects').to.deep.equal([]);
    });

    for (const [index, kind] of ['ServiceAccount', 'ClusterRoleBinding', 'Secret', 'Deployment'].entries()) {
      const [resource, address] = belongings('drift')[index] ?? [RESOURCES.secret, { name: '' }];
      const labelsOf = async () => (await fixture.get(resource, address))?.metadata.labels ?? {};

      for (const [what, label, value] of [
        ['a label changed', 'app.kubernetes.io/component', 'theirs'],
        ['a label removed', 'app.kubernetes.io/component', null],
        ['the label that says who manages it removed', MANAGED_BY_LABEL, null],
        ['the label of its tunnel removed', TUNNEL_LABEL, null],
        ['the label of its tunnel changed', TUNNEL_LABEL, 'other'],
      ] as const) {
        it(`repairs a ${kind} that had ${what}, and then rests`, async () => {
          const before = await labelsOf();
          await fixture.merge(resource, address, { metadata: { labels: { [label]: value } } });
          await until('the label', async () => (await labelsOf())[label] === before[label]);
          await fixture.quiet();
        });
      }
    }
  });

  describe('what agents log in with', () => {
    const keys = (name: string) => fixture.get(RESOURCES.secret, keysAddress(name));
    const unlabelled = { metadata: { labels: { [TUNNEL_LABEL]: null, [MANAGED_BY_LABEL]: null } } };

    it('is known again after somebody took the labels from the keys', async () => {
      await fixture.create('keys');
      await made('keys');
      await fixture.quiet();
      const keyId = parseAgentToken(await fixture.tokenOf('keys'))?.keyId ?? '';
      await fixture.merge(RESOURCES.secret, keysAddress('keys'), unlabelled);
      await until('the labels', async () => (await keys('keys'))?.metadata.labels?.[TUNNEL_LABEL] === 'keys');
      await until('the key', () => fixture.controller.findAgentKey(keyId) !== undefined);
    });

    it('is known again for a Manual tunnel as well', async () => {
      await fixture.create('manual', { agent: { placement: 'Manual' } });
      const where = { name: 'manual', namespace: OPERATOR_NAMESPACE };
      await until('a manifest', () =>
        renderManifest(fixture.hub.client, where, signal).then(
          () => true,
          () => false,
        ),
      );
      await fixture.has('manual', 'CredentialsReady', 'TokenIssued');
      await fixture.merge(RESOURCES.secret, keysAddress('manual'), unlabelled);
      await until('the labels', async () => (await keys('manual'))?.metadata.labels?.[TUNNEL_LABEL] === 'manual');
      await fixture.has('manual', 'CredentialsReady', 'TokenIssued');
    });

    it('is minted anew when the keys are gone', async () => {
      const before = await fixture.tokenOf('keys');
      await fixture.hub.client.delete(RESOURCES.secret, keysAddress('keys'), signal);
      await until('another token', async () => ![before, ''].includes(await fixture.tokenOf('keys')));
    });

    it('at the API server is asked for anew by new pods when the ServiceAccount was made again', async () => {
      const account = { namespace: AGENT_NAMESPACE, name: agentName('keys') };
      const uidOf = async () => (await fixture.get(RESOURCES.serviceAccount, account))?.metadata.uid;
      const before = await uidOf();
      const uidOfPods = async () => {
        const deployment = await fixture.get<Scaled>(RESOURCES.deployment, deploymentOf('keys'));
        return deployment?.spec.template.metadata.annotations?.[SERVICE_ACCOUNT_ANNOTATION];
      };
      expect(await uidOfPods()).to.equal(before);
      await fixture.hub.client.delete(RESOURCES.serviceAccount, account, signal);
      await until('the new ServiceAccount in the template', async () => {
        const [now, used] = [await uidOf(), await uidOfPods()];
        return now !== undefined && now !== before && used === now;
      });
    });
  });

  describe('a namespace that goes', () => {
    it('is told, and what was in it is made anew in the next one of that name', async () => {
      const namespace = 'team';
      // Rights that do not go with the namespace.
      const operator = '--serviceaccount=clustertunnel-system:clustertunnel-operator';
      await fixture.hub.kubectl('create', 'clusterrolebinding', 'everywhere', '--clusterrole=admin', operator);
      await fixture.create('going', { agent: { namespace } });
      await until('all objects', async () => (await fixture.made('going', fixture.hub.client, namespace)) === 4);
      await fixture.hub.kubectl('-n', namespace, 'create', 'configmap', 'stuck');
      const stuck = { namespace, name: 'stuck' };
      await fixture.merge(RESOURCES.configMap, stuck, { metadata: { finalizers: ['example.com/stuck'] } });
      await fixture.hub.client.delete(RESOURCES.namespace, { name: namespace }, signal);
      await fixture.has('going', 'CredentialsReady', 'NamespaceTerminating');
      const words = /^Namespace team is terminating: .*finalizers remaining: example\.com\/stuck.* made anew/;
      await until('what keeps it', async () =>
        words.test((await fixture.condition('going', 'CredentialsReady'))?.message ?? ''),
      );
      expect(await fixture.condition('going', 'Stalled')).to.equal(undefined);
      await fixture.merge(RESOURCES.configMap, stuck, { metadata: { finalizers: null } });
      await until(
        'all objects once more',
        async () => (await fixture.made('going', fixture.hub.client, namespace)) === 4,
      );
      await fixture.has('going', 'CredentialsReady', 'TokenIssued');
      await fixture.remove('going');
      await fixture.gone('going');
      await fixture.hub.kubectl('delete', 'clusterrolebinding', 'everywhere');
    });
  });

  it('gives the words of a quota that refuses an object, and goes on when it is raised', async () => {
    const quota = (secrets: string) => ({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'small' },
      spec: { hard: { 'count/secrets': secrets } },
    });
    const resource = { apiVersion: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas' };
    await fixture.hub.client.create(resource, { namespace: AGENT_NAMESPACE }, quota('0'), signal);
    await until('the quota to be counted', async () => {
      const { stdout } = await fixture.hub.kubectl(
        '-n',
        AGENT_NAMESPACE,
        'get',
        'resourcequota',
        'small',
        '-o',
        'json',
      );
      return (JSON.parse(stdout) as { status?: { hard?: object } }).status?.hard !== undefined;
    });
    await fixture.create('poor');
    const { message } = await fixture.has('poor', 'CredentialsReady', 'QuotaExceeded');
    expect(message).to.match(/exceeded quota: small.*raise the quota/);
    await fixture.hub.client.delete(resource, { namespace: AGENT_NAMESPACE, name: 'small' }, signal);
    await made('poor');
  });

  describe('suspend', () => {
    it('scales the agent to 0, keeps its credentials, and brings all back', async () => {
      await fixture.create('paused');
      await made('paused');
      await fixture.change('paused', { suspend: true });
      await fixture.has('paused', 'Ready', 'Suspended');
      await until('no replica', async () => (await replicasOf('paused')) === 0);
      expect(await fixture.condition('paused', 'CredentialsReady')).to.include({ status: 'True' });
      expect(await fixture.condition('paused', 'AgentAvailable')).to.include({ status: 'False', reason: 'Suspended' });
      expect(await fixture.condition('paused', 'Connected')).to.include({ status: 'False', reason: 'Suspended' });
      const token = await fixture.tokenOf('paused');
      await fixture.change('paused', { suspend: false });
      await until('two replicas', async () => (await replicasOf('paused')) === 2);
      await fixture.has('paused', 'AgentAvailable', 'NoReplicaReady');
      expect(await fixture.tokenOf('paused')).to.equal(token);
    });
  });

  describe('deletion', () => {
    const live = { liveSessions: 2, gateways: 1, agents: [{ instanceId: 'a', version: '0.1.0' }] };

    it('invalidates the keys, waits for the sessions, then removes everything', async () => {
      await fixture.create('leaving');
      await made('leaving');
      const keyId = parseAgentToken(await fixture.tokenOf('leaving'))?.keyId ?? '';
      fixture.sessions('leaving', live);
      await fixture.has('leaving', 'Connected', 'SessionOpen');
      await fixture.remove('leaving');
      const { message } = await fixture.has('leaving', 'Ready', 'Draining');
      expect(message).to.match(/^2 sessions end when their requests have, at the latest at 20/);
      expect(await fixture.made('leaving'), 'objects while sessions drain').to.equal(4);
      expect(await fixture.keyCount('leaving')).to.equal(0);
      expect(fixture.controller.findAgentKey(keyId)).to.equal(undefined);
      fixture.sessions('leaving', { ...live, liveSessions: 1 });
      await until(
        'the count',
        async () => (await fixture.condition('leaving', 'Ready'))?.message.startsWith('1 ') === true,
      );
      fixture.sessions('leaving', {});
      await fixture.gone('leaving');
      expect(await fixture.made('leaving')).to.equal(0);
      expect(await fixture.get(RESOURCES.secret, keysAddress('leaving'))).to.equal(undefined);
    });

    it('waits no longer than timeouts.drain', async () => {
      await fixture.create('hasty', { timeouts: { drain: '1s' } });
      await made('hasty');
      fixture.sessions('hasty', live);
      await fixture.has('hasty', 'Connected', 'SessionOpen');
      await fixture.remove('hasty');
      await fixture.gone('hasty');
      expect(await fixture.made('hasty')).to.equal(0);
    });

    it('goes on where it was after a restart', async () => {
      await fixture.create('again');
      await made('again');
      fixture.sessions('again', live);
      await fixture.remove('again');
      await fixture.has('again', 'Ready', 'Draining');
      await fixture.restart(async () => fixture.facts.delete('again'));
      await fixture.gone('again');
      expect(await fixture.made('again')).to.equal(0);
    });

    it('of a Manual tunnel says what stays at the target, once a manifest was rendered', async () => {
      await fixture.create('by-hand', { agent: { placement: 'Manual', namespace: 'edge' } });
      await fixture.has('by-hand', 'Ready', 'ManifestNotApplied');
      await fixture.create('by-hand-too', { agent: { placement: 'Manual', namespace: 'edge' } });
      await fixture.has('by-hand-too', 'Ready', 'ManifestNotApplied');
      const keys = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: keysAddress('by-hand').name, labels: { [TUNNEL_LABEL]: 'by-hand' } },
      };
      await fixture.hub.client.create(RESOURCES.secret, { namespace: 'clustertunnel-system' }, keys, signal);
      await fixture.remove('by-hand');
      await fixture.remove('by-hand-too');
      await fixture.gone('by-hand');
      await fixture.gone('by-hand-too');
      await until('the Event', async () =>
        (await fixture.events('by-hand')).some((each) => each.includes('LeftBehind')),
      );
      expect((await fixture.events('by-hand')).at(-1)).to.match(
        /^Normal ManifestLeftBehind .*kubectl -n edge delete deployment,secret,serviceaccount clustertunnel-agent-by-hand/,
      );
      expect(await fixture.events('by-hand-too')).to.deep.equal([]);
    });
  });

  it('keeps what runs when a spec that slipped past the API server cannot be used', async () => {
    await fixture.create('slipped');
    await made('slipped');
    const before = await replicasOf('slipped');
    const path = '/spec/versions/0/schema/openAPIV3Schema/properties/spec';
    const loose = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const crd = 'clustertunnels.clustertunnel.io';
    const { stdout } = await fixture.hub.kubectl('get', 'crd', crd, '-o', 'json');
    await fixture.hub.kubectl(
      'patch',
      'crd',
      crd,
      '--type=json',
      '-p',
      JSON.stringify([{ op: 'replace', path, value: loose }]),
    );
    try {
      await until('the API server to take it', async () => {
        const spec = { agent: { replicas: 'many' } };
        return fixture.merge(RESOURCES.clusterTunnel, { name: 'slipped' }, { spec }).then(
          () => true,
          () => false,
        );
      });
      const { message } = await fixture.has('slipped', 'Accepted', 'InvalidSpec');
      expect(message).to.contain('spec.agent.replicas');
      expect(await replicasOf('slipped')).to.equal(before);
      expect(await fixture.made('slipped')).to.equal(4);
      await fixture.remove('slipped');
      await fixture.gone('slipped');
      expect(await fixture.made('slipped')).to.equal(0);
    } finally {
      const spec = (
        JSON.parse(stdout) as {
          spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: object } } } }[] };
        }
      ).spec.versions[0]?.schema.openAPIV3Schema.properties.spec;
      await fixture.hub.kubectl(
        'patch',
        'crd',
        crd,
        '--type=json',
        '-p',
        JSON.stringify([{ op: 'replace', path, value: spec }]),
      );
    }
  });

  it('does not push out the key of a running agent by a restart between minting and placing', async () => {
    await fixture.create('minted');
    await made('minted');
    await fixture.quiet();
    const running = parseAgentToken(await fixture.tokenOf('minted'))?.keyId ?? '';
    const secret = { namespace: AGENT_NAMESPACE, name: agentName('minted') };
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none' },
      spec: { hard: { 'count/secrets': '0' } },
    };
    const resource = { apiVersion: 'v1', kind: 'ResourceQuota', plural: 'resourcequotas' };
    await fixture.hub.client.create(resource, { namespace: AGENT_NAMESPACE }, quota, signal);
    await until('the quota to be counted', async () => {
      const { stdout } = await fixture.hub.kubectl('-n', AGENT_NAMESPACE, 'get', 'resourcequota', 'none', '-o', 'json');
      return (JSON.parse(stdout) as { status?: { hard?: object } }).status?.hard !== undefined;
    });
    await fixture.hub.client.delete(RESOURCES.secret, secret, signal);
    await until('a second key', async () => (await fixture.keyCount('minted')) === 2);
    for (let restart = 0; restart < 2; restart++) {
      await fixture.restart();
      await fixture.quiet();
      expect(await fixture.keyCount('minted')).to.equal(2);
      expect(fixture.controller.findAgentKey(running), 'the key of the running agent').not.to.equal(undefined);
    }
    await fixture.hub.client.delete(resource, { namespace: AGENT_NAMESPACE, name: 'none' }, signal);
    await until('the Secret', async () => (await fixture.get(RESOURCES.secret, secret)) !== undefined);
    expect(await fixture.keyCount('minted')).to.equal(2);
  });
});
