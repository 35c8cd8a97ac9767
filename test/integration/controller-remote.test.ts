import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { AGENT_CLUSTER_ROLE, agentName, UNPLACED_KEY_ANNOTATION } from '../../operator/controller/names.ts';
import { type KubeObject, RESOURCES } from '../../operator/kube/objects.ts';
import { systemClock } from '../../process/clock.ts';
import { describeOnHub, type Hub, startHub, until } from '../operator/kube/hub.ts';
import { AGENT_NAMESPACE, belongings, ControllerFixture, keysAddress } from '../support/controller-fixture.ts';
import { Relay } from '../support/relay.ts';
import {
  adminKubeconfig,
  altered,
  type Kubeconfig,
  kubeconfigSecret,
  tokenKubeconfig,
} from '../support/remote-secret.ts';

const REMOTE_CONFIG = fileURLToPath(new URL('../../config/remote', import.meta.url));
const signal = new AbortController().signal;
const role = { name: AGENT_CLUSTER_ROLE };

interface Rules extends KubeObject {
  readonly rules: readonly object[];
}

describeOnHub('integration/controller-remote', function () {
  this.timeout(90_000);
  let fixture: ControllerFixture;
  let remote: Hub;
  let relay: Relay;
  /** What config/remote gives, by way of the relay. */
  let placer: Kubeconfig;
  let admin: Kubeconfig;

  before(async () => {
    [fixture, remote] = await Promise.all([ControllerFixture.start('hub'), startHub('remote')]);
    relay = await Relay.open(remote.cluster.url);
    await remote.kubectl('apply', '-k', REMOTE_CONFIG);
    const { stdout } = await remote.kubectl('-n', 'clustertunnel-system', 'create', 'token', 'clustertunnel-placer');
    const through = { cluster: { server: relay.url } };
    placer = altered(tokenKubeconfig(remote.cluster, stdout.trim()), through);
    admin = altered(adminKubeconfig(remote.cluster), through);
  });
  after(async () => {
    await fixture?.stop();
    await relay?.cut();
    await remote?.stop();
  });

  const put = (name: string, config: Kubeconfig) =>
    fixture.hub.client.create(
      RESOURCES.secret,
      { namespace: 'clustertunnel-system' },
      kubeconfigSecret(name, config),
      signal,
    );
  const change = (name: string, config: Kubeconfig) => {
    const { stringData } = kubeconfigSecret(name, config) as { stringData: object };
    return fixture.merge(RESOURCES.secret, { namespace: 'clustertunnel-system', name }, { stringData });
  };
  const create = (name: string, secret = name) =>
    fixture.create(name, { agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: secret } } });
  const made = (name: string) =>
    until(`all objects of ${name}`, async () => (await fixture.made(name, remote.client)) === 4);
  const findRole = () => fixture.get<Rules>(RESOURCES.clusterRole, role, remote.client);
  const abandon = (name: string) => fixture.hub.kubectl('annotate', 'ct', name, 'clustertunnel.io/abandon-remote=true');
  const connected = () => ({
    liveSessions: 1,
    gateways: 1,
    agents: [{ instanceId: 'a', version: '0.1.0' }],
    upstream: { healthy: true, reason: 'ProbeSucceeded', message: 'answered', observedAtMs: systemClock.nowMs() },
  });

  describe('an agent there', () => {
    it('waits for the Secret, then makes the agent with the rights of config/remote, and nothing of it at the hub', async () => {
      await create('reachable');
      const { message } = await fixture.has('reachable', 'CredentialsReady', 'KubeconfigMissing');
      expect(message).to.match(/Secret clustertunnel-system\/reachable does not exist/);
      await put('reachable', placer);
      await made('reachable');
      await fixture.has('reachable', 'CredentialsReady', 'TokenIssued');
      await fixture.has('reachable', 'AgentAvailable', 'NoReplicaReady');
      expect(await fixture.made('reachable')).to.equal(0);
      const keys = await fixture.get(RESOURCES.secret, keysAddress('reachable'));
      expect(keys?.metadata.annotations ?? {}).not.to.have.property(UNPLACED_KEY_ANNOTATION);
    });

    it('asks for no change once all is as desired', async () => {
      await fixture.quiet();
      fixture.writes.length = 0;
      for (let look = 0; look < 20; look++) fixture.controller.enqueue('reachable');
      await fixture.quiet();
      expect(fixture.writes).to.deep.equal([]);
    });

    for (const [index, kind] of ['ServiceAccount', 'ClusterRoleBinding', 'Secret', 'Deployment'].entries()) {
      const [resource, address] = belongings('reachable')[index] ?? [RESOURCES.secret, { name: '' }];
      const find = () => fixture.get(resource, address, remote.client);

      it(`makes a ${kind} that was deleted there again`, async () => {
        const before = (await find())?.metadata.uid;
        await remote.client.delete(resource, address, signal);
        await until(`a new ${kind}`, async () => ![undefined, before].includes((await find())?.metadata.uid));
      });

      it(`puts back a label of a ${kind} there`, async () => {
        const label = 'app.kubernetes.io/component';
        await remote.kubectl(
          'label',
          '--overwrite',
          `${resource.kind}/${address.name}`,
          `${label}=theirs`,
          ...(address.namespace === undefined ? [] : ['-n', address.namespace]),
        );
        await until('the label', async () => (await find())?.metadata.labels?.[label] === 'agent');
      });
    }
  });

  describe('with the credential of', () => {
    const stranger = async () => {
      await remote.kubectl('create', 'serviceaccount', 'stranger', '-n', 'default');
      return (await remote.kubectl('-n', 'default', 'create', 'token', 'stranger')).stdout.trim();
    };

    it('a plugin is refused, and named', async () => {
      await put('plugin', altered(placer, { user: { exec: { command: '/bin/true' } } }));
      await create('plugin');
      const { message } = await fixture.has('plugin', 'CredentialsReady', 'KubeconfigRefused');
      expect(message).to.match(/Secret clustertunnel-system\/plugin, key "kubeconfig": users\[0\]\.user\.exec/);
      await fixture.has('plugin', 'Stalled', 'KubeconfigRefused');
    });

    it('nobody is Unauthorized, until the Secret is renewed', async () => {
      await put('nobody', altered(placer, { user: { token: 'wrong' } }));
      await create('nobody');
      const { message } = await fixture.has('nobody', 'CredentialsReady', 'Unauthorized');
      expect(message).to.match(
        /does not accept the credential.*Unauthorized\. Renew it in Secret clustertunnel-system\/nobody/,
      );
      await change('nobody', placer);
      await made('nobody');
      await fixture.has('nobody', 'CredentialsReady', 'TokenIssued');
    });

    it('somebody without rights is Forbidden, with the remedy for that cluster', async () => {
      await put('stranger', altered(placer, { user: { token: await stranger() } }));
      await create('stranger');
      const { message } = await fixture.has('stranger', 'CredentialsReady', 'Forbidden');
      expect(message).to.match(/system:serviceaccount:default:stranger.*config\/remote/);
      await fixture.remove('stranger');
      await fixture.gone('stranger');
      expect(await fixture.events('stranger'), 'nothing was ever placed').to.satisfy((events: string[]) =>
        events.every((event) => !event.includes('RemoteLeftBehind')),
      );
    });
  });

  describe('when the cluster does not answer', () => {
    afterEach(() => relay.mend().catch(() => {}));

    it('keeps what was known, stays Ready while requests get through, and is well soon after', async () => {
      fixture.sessions('reachable', connected());
      await fixture.has('reachable', 'Connected', 'SessionOpen');
      const { agents } = (await fixture.find('reachable'))?.status ?? {};
      await relay.cut();
      await remote.kubectl('-n', AGENT_NAMESPACE, 'scale', 'deployment', agentName('reachable'), '--replicas=5');
      const { status, message } = await fixture.has('reachable', 'AgentAvailable', 'ClusterUnreachable');
      expect(status).to.equal('Unknown');
      expect(message).to.match(/^https:\/\/127\.0\.0\.1:\d+: .*\. Tried again at growing intervals\.$/);
      expect((await fixture.find('reachable'))?.status?.agents).to.equal(agents);
      expect(await fixture.condition('reachable', 'CredentialsReady')).to.include({ status: 'True' });
      await relay.mend();
      await until('the cluster to be seen again', async () => {
        return (await fixture.condition('reachable', 'AgentAvailable'))?.reason !== 'ClusterUnreachable';
      });
      await until('drift of meanwhile to be repaired', async () => {
        const address = { namespace: AGENT_NAMESPACE, name: agentName('reachable') };
        const deployment = await remote.client.get<{ spec: { replicas: number } }>(
          RESOURCES.deployment,
          address,
          signal,
        );
        return deployment.spec.replicas === 2;
      });
    });

    it('delays no other tunnel', async () => {
      await relay.cut();
      await create('waits', 'reachable');
      await fixture.has('waits', 'AgentAvailable', 'ClusterUnreachable');
      const { message } = await fixture.has('waits', 'Ready', 'NeverConnected');
      expect(message).to.contain('is Unknown: https://127.0.0.1');
      await fixture.create('beside');
      await until('the Local agent', async () => (await fixture.made('beside')) === 4);
      await fixture.remove('waits');
      await fixture.gone('waits');
      expect(await fixture.events('waits'), 'nothing was ever placed').to.deep.equal([]);
    });

    it('waits with the removal, says how to give up, and leaves the agent behind when told so', async () => {
      await create('left', 'reachable');
      await made('left');
      await relay.cut();
      await fixture.remove('left');
      const { message } = await fixture.has('left', 'Ready', 'RemoteUnreachable');
      expect(message).to.match(
        /^https:\/\/127.*Gives up at 20.*kubectl annotate ct left clustertunnel\.io\/abandon-remote=true/,
      );
      await abandon('left');
      await fixture.gone('left');
      await until('the Event', async () =>
        (await fixture.events('left')).some((each) => each.includes('RemoteLeftBehind')),
      );
      const event = (await fixture.events('left')).find((each) => each.includes('RemoteLeftBehind'));
      expect(event).to.match(
        /^Warning RemoteLeftBehind .*Deployment clustertunnel-agent\/clustertunnel-agent-left.*ClusterRoleBinding/,
      );
      expect(await fixture.get(RESOURCES.secret, keysAddress('left'))).to.equal(undefined);
      expect(await fixture.made('left', remote.client)).to.equal(4);
    });

    it('gives up by itself after the timeout, across a restart', async () => {
      await create('late', 'reachable');
      await made('late');
      await relay.cut();
      await fixture.remove('late');
      await fixture.has('late', 'Ready', 'RemoteUnreachable');
      fixture.remoteRemovalTimeoutMs = 2_000;
      await fixture.restart();
      await fixture.gone('late');
      await until('the Event', async () =>
        (await fixture.events('late')).some((each) => each.includes('RemoteLeftBehind')),
      );
    });

    it('removes the agent when the cluster is back in time', async () => {
      fixture.remoteRemovalTimeoutMs = 300_000;
      await fixture.restart();
      await create('patient', 'reachable');
      await made('patient');
      await relay.cut();
      await fixture.remove('patient');
      await fixture.has('patient', 'Ready', 'RemoteUnreachable');
      await relay.mend();
      await fixture.gone('patient');
      expect(await fixture.made('patient', remote.client)).to.equal(0);
    });
  });

  describe('at the end', () => {
    it('waits with the removal when the kubeconfig is gone', async () => {
      await put('lost', placer);
      await create('lost');
      await made('lost');
      await fixture.hub.client.delete(RESOURCES.secret, { namespace: 'clustertunnel-system', name: 'lost' }, signal);
      await fixture.has('lost', 'CredentialsReady', 'KubeconfigMissing');
      await fixture.remove('lost');
      const { message } = await fixture.has('lost', 'Ready', 'RemoteUnreachable');
      expect(message).to.match(/Secret clustertunnel-system\/lost does not exist/);
      await put('lost', placer);
      await fixture.gone('lost');
      expect(await fixture.made('lost', remote.client)).to.equal(0);
    });

    it('removes the agent but not the namespace, nor a ClusterRole that an administrator applied', async () => {
      for (const name of ['reachable', 'nobody']) {
        fixture.facts.delete(name);
        await fixture.remove(name);
        await fixture.gone(name);
        expect(await fixture.made(name, remote.client)).to.equal(0);
      }
      expect(await findRole()).not.to.equal(undefined);
      expect(await fixture.get(RESOURCES.namespace, { name: AGENT_NAMESPACE }, remote.client)).not.to.equal(undefined);
    });

    it('makes the ClusterRole with the rights of an administrator, repairs it, and takes it away with the last agent', async () => {
      await remote.kubectl('delete', '-k', REMOTE_CONFIG);
      for (const left of ['left', 'late']) {
        await remote.kubectl('delete', 'clusterrolebinding', agentName(left), '--ignore-not-found');
      }
      await put('admin', admin);
      await create('one', 'admin');
      await create('two', 'admin');
      await made('one');
      await made('two');
      const rules = (await findRole())?.rules;
      await remote.kubectl(
        'patch',
        'clusterrole',
        role.name,
        '--type=merge',
        '-p',
        '{"rules":[]}',
        '--field-manager=clustertunnel-controller',
      );
      await until('the rules', async () => (await findRole())?.rules?.length === rules?.length);
      await fixture.remove('one');
      await fixture.gone('one');
      expect(await findRole()).not.to.equal(undefined);
      await fixture.remove('two');
      await fixture.gone('two');
      expect(await findRole()).to.equal(undefined);
    });
  });
});
