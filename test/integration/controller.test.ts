import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { renderManifest } from '../../cli/render-manifest.ts';
import { parseAgentToken, tokenMatches } from '../../crds/agent-token.ts';
import { type DataObject, RESOURCES } from '../../operator/kube/objects.ts';
import { systemClock } from '../../process/clock.ts';
import { describeOnHub, type Hub, until } from '../operator/kube/hub.ts';
import {
  belongings,
  ControllerFixture,
  keysAddress,
  AGENT_NAMESPACE as namespace,
  OPERATOR_NAMESPACE,
} from '../support/controller-fixture.ts';

const signal = new AbortController().signal;

describeOnHub('integration/controller', function () {
  this.timeout(90_000);
  let fixture: ControllerFixture;
  let hub: Hub;

  const hasReason = async (name: string, type: string, reason: string) =>
    (await fixture.condition(name, type))?.reason === reason;
  const keyIn = (token: string) => fixture.controller.findAgentKey(parseAgentToken(token)?.keyId ?? '');

  before(async () => {
    fixture = await ControllerFixture.start('controller');
    hub = fixture.hub;
  });

  after(async () => {
    await fixture?.stop();
  });

  it("makes a Local agent's objects with the rights that config/ ships", async () => {
    await fixture.create('local');
    await until('all objects', async () => (await fixture.made('local')) === 4);
    await fixture.has('local', 'AgentAvailable', 'NoReplicaReady');
    expect(await fixture.condition('local', 'CredentialsReady')).to.include({ status: 'True' });
    const { stdout } = await hub.kubectl('get', 'ct', 'local', '--no-headers');
    expect(stdout).to.match(/^local +False +False +0\/2 .*https:\/\/gateway\.example:8443\/clusters\/local/);
  });

  it('knows the key of the token that it issued, until the tunnel goes', async () => {
    const token = await fixture.tokenOf('local');
    await until('the key', () => keyIn(token) !== undefined);
    expect(tokenMatches(token, keyIn(token)?.sha256 ?? '')).to.equal(true);
    expect(fixture.controller.findAgentKey('nosuchkey0')).to.equal(undefined);
  });

  for (const [index, what] of ['ServiceAccount', 'ClusterRoleBinding', 'Secret', 'Deployment'].entries()) {
    it(`makes a deleted ${what} again`, async () => {
      const [resource, address] = belongings('local')[index] ?? [RESOURCES.secret, { name: '' }];
      const uidOf = async () => (await fixture.get(resource, address))?.metadata.uid;
      const before = await uidOf();
      await hub.client.delete(resource, address, signal);
      await until(`a new ${what}`, async () => ![undefined, before].includes(await uidOf()));
    });
  }

  it('puts back a Deployment that somebody changed', async () => {
    const address = { namespace, name: 'clustertunnel-agent-local' };
    await hub.kubectl('-n', namespace, 'scale', 'deployment', address.name, '--replicas=5');
    await until('two replicas', async () => {
      const deployment = await hub.client.get<{ spec: { replicas: number } }>(RESOURCES.deployment, address, signal);
      return deployment.spec.replicas === 2;
    });
  });

  it('is Ready when agents run and sessions carry, and says so in an Event', async () => {
    const status = { observedGeneration: 99, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 };
    const address = { namespace, name: 'clustertunnel-agent-local', subresource: 'status' };
    await until('Ready', async () => {
      // The real Deployment controller runs, and knows of no pod: our word must be newer than its own.
      await hub.client.patch(
        RESOURCES.deployment,
        address,
        { type: 'application/merge-patch+json', body: { status } },
        signal,
      );
      const upstream = {
        healthy: true,
        reason: 'ProbeSucceeded',
        message: 'The API server answered.',
        kubernetesVersion: 'v1.36.3',
        observedAtMs: systemClock.nowMs(),
      };
      fixture.sessions('local', {
        liveSessions: 1,
        gateways: 1,
        agents: [{ instanceId: 'a', version: '0.1.0' }],
        upstream,
      });
      return hasReason('local', 'Ready', 'RequestsGetThrough');
    });
    await until('the Event', async () => (await hub.kubectl('get', 'events')).stdout.includes('Ready is True'));
    fixture.sessions('local', {});
    await fixture.has('local', 'Connected', 'NeverConnected');
  });

  it('removes what it made when the tunnel is deleted', async () => {
    await fixture.remove('local');
    await fixture.gone('local');
    expect(await fixture.made('local')).to.equal(0);
    expect(await fixture.get(RESOURCES.secret, keysAddress('local'))).to.equal(undefined);
    expect(await hub.client.find(RESOURCES.namespace, { name: namespace }, signal)).not.to.equal(undefined);
  });

  it("gives the API server's words and the remedy for a namespace without rights, and lets the tunnel go", async () => {
    await fixture.create('elsewhere', { agent: { namespace: 'elsewhere' } });
    await fixture.has('elsewhere', 'Ready', 'Forbidden');
    const message = (await fixture.condition('elsewhere', 'CredentialsReady'))?.message;
    expect(message).to.match(
      /cannot get resource "secrets".*in the namespace "elsewhere".*clustertunnel-agent-manager/,
    );
    await fixture.remove('elsewhere');
    await fixture.gone('elsewhere');
  });

  it('waits for the manifest of a Manual tunnel, and makes nothing', async () => {
    await fixture.create('manual', { agent: { placement: 'Manual' } });
    await fixture.has('manual', 'Ready', 'ManifestNotApplied');
    expect(await fixture.made('manual')).to.equal(0);
    expect(await fixture.get(RESOURCES.secret, keysAddress('manual'))).to.equal(undefined);
  });

  it('renders the manifest of a Manual tunnel with a token that it then knows, twice and not three times', async () => {
    const where = { name: 'manual', namespace: OPERATOR_NAMESPACE };
    const documents = parseAllDocuments(await renderManifest(hub.client, where, signal)).map((each) => each.toJS());
    expect(documents.map((each) => each.kind)).to.deep.equal([
      'Namespace',
      'ClusterRole',
      'ServiceAccount',
      'ClusterRoleBinding',
      'Secret',
      'Deployment',
    ]);
    const token = Buffer.from(documents[4].data.token, 'base64').toString();
    await until('the key', () => keyIn(token) !== undefined);
    await fixture.has('manual', 'CredentialsReady', 'TokenIssued');
    await renderManifest(hub.client, where, signal);
    const error = await renderManifest(hub.client, where, signal).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'ClusterTunnel "manual" has 2 valid tokens already');
    expect(keyIn(token)).not.to.equal(undefined);
  });

  it('says that a Manual tunnel has lost its only agent', async () => {
    fixture.sessions('manual', { liveSessions: 1, gateways: 1, agents: [{ instanceId: 'a', version: '0.1.0' }] });
    await fixture.has('manual', 'Connected', 'SessionOpen');
    const lastDisconnect = { time: '2026-01-01T00:00:00.000Z', reason: 'SILENT' };
    fixture.sessions('manual', { lastDisconnect });
    await fixture.has('manual', 'Connected', 'SessionLost');
  });

  it('says what is missing when no manifest can be rendered', async () => {
    const where = { name: 'nobody', namespace: OPERATOR_NAMESPACE };
    const error = await renderManifest(hub.client, where, signal).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'there is no ClusterTunnel "nobody"');
  });

  it('publishes the gateway for users’ tools', async () => {
    const address = { namespace: OPERATOR_NAMESPACE, name: 'clustertunnel-gateway' };
    const { data } = await hub.client.get<DataObject>(RESOURCES.configMap, address, signal);
    expect(data).to.deep.equal({
      url: 'https://gateway.example:8443',
      'ca.crt': 'CA',
      'agent-image': 'clustertunnel:test',
    });
  });

  it('takes nothing that the shipped rights do not give', async () => {
    const { stdout } = await hub.kubectl(
      'auth',
      'can-i',
      '--list',
      '--as=system:serviceaccount:clustertunnel-system:clustertunnel-operator',
      '-n',
      'kube-system',
    );
    expect(stdout).not.to.match(/^(secrets|pods|deployments\.apps|\*)/m);
  });
});
