import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { renderManifest } from '../../cli/render-manifest.ts';
import { parseAgentToken, tokenMatches } from '../../crds/agent-token.ts';
import type { ClusterTunnel } from '../../crds/types.ts';
import { type Controller, createController } from '../../operator/controller/controller.ts';
import type { SessionFacts } from '../../operator/controller/observe.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { createEventRecorder, type EventRecorder } from '../../operator/kube/events.ts';
import { type DataObject, type KubeObject, RESOURCES, type Resource } from '../../operator/kube/objects.ts';
import { systemClock } from '../../process/clock.ts';
import { silentLogger } from '../../process/log.ts';
import { describeOnHub, type Hub, startHub, until } from '../operator/kube/hub.ts';

const CONFIG = fileURLToPath(new URL('../../config/default', import.meta.url));
const signal = new AbortController().signal;
const namespace = 'clustertunnel-agent';
const { apiVersion, kind } = RESOURCES.clusterTunnel;

/** What a Local tunnel makes, with the address of each. */
const made = (name: string): [Resource, { namespace?: string; name: string }][] => [
  [RESOURCES.serviceAccount, { namespace, name: `clustertunnel-agent-${name}` }],
  [RESOURCES.clusterRoleBinding, { name: `clustertunnel-agent-${name}` }],
  [RESOURCES.secret, { namespace, name: `clustertunnel-agent-${name}` }],
  [RESOURCES.deployment, { namespace, name: `clustertunnel-agent-${name}` }],
  [RESOURCES.secret, { namespace: 'clustertunnel-system', name: `clustertunnel-keys-${name}` }],
];

describeOnHub('integration/controller', function () {
  this.timeout(90_000);
  let hub: Hub;
  let operator: KubeClient;
  let controller: Controller;
  let events: EventRecorder;
  const facts = new Map<string, SessionFacts>();

  const create = (name: string, spec: unknown) =>
    hub.client.create(RESOURCES.clusterTunnel, {}, { apiVersion, kind, metadata: { name }, spec }, signal);
  const find = (name: string) => hub.client.find<ClusterTunnel>(RESOURCES.clusterTunnel, { name }, signal);
  const condition = async (name: string, type: string) => {
    const status = (await find(name))?.status;
    return status?.conditions?.find((each) => each.type === type);
  };
  const hasReason = async (name: string, type: string, reason: string) =>
    (await condition(name, type))?.reason === reason;
  const allMade = async (name: string) => {
    const objects = await Promise.all(
      made(name).map(([resource, address]) => hub.client.find(resource, address, signal)),
    );
    return objects.filter((object) => object !== undefined).length;
  };
  const tokenOf = async (name: string) => {
    const address = { namespace, name: `clustertunnel-agent-${name}` };
    const secret = await hub.client.find<DataObject>(RESOURCES.secret, address, signal);
    return Buffer.from(secret?.data?.['token'] ?? '', 'base64').toString();
  };

  before(async () => {
    hub = await startHub('controller');
    await hub.kubectl('apply', '-k', CONFIG);
    await until('the CRD to be served', async () => {
      const { exitCode } = await hub.kubectl('get', 'ct').catch(() => ({ exitCode: 1 }));
      return exitCode === 0;
    });
    const { stdout } = await hub.kubectl('-n', 'clustertunnel-system', 'create', 'token', 'clustertunnel-operator');
    operator = await hub.clientAs(stdout.trim());
    const shared = { client: operator, clock: systemClock, log: silentLogger };
    events = createEventRecorder({ ...shared, controller: 'clustertunnel.io/controller', instance: 'test' });
    controller = createController({
      ...shared,
      events,
      config: {
        namespace: 'clustertunnel-system',
        externalUrl: 'https://gateway.example:8443',
        agentImage: 'clustertunnel:test',
        caBundle: () => 'CA',
        defaultAgentNamespace: namespace,
      },
      sessions: (name) => facts.get(name) ?? { liveSessions: 0, gateways: 0, agents: [] },
    });
    await controller.start();
    await until('leadership', () => controller.isLeader());
  });

  after(async () => {
    await controller?.stop();
    await events?.stop(1_000);
    await hub?.stop();
  });

  it("makes a Local agent's objects with the rights that config/ ships", async () => {
    await create('local', {});
    await until('all objects', async () => (await allMade('local')) === 5);
    await until('a status', () => hasReason('local', 'AgentAvailable', 'NoReplicaReady'));
    expect(await condition('local', 'CredentialsReady')).to.include({ status: 'True' });
    const { stdout } = await hub.kubectl('get', 'ct', 'local', '--no-headers');
    expect(stdout).to.match(/^local +False +False +0\/2 .*https:\/\/gateway\.example:8443\/clusters\/local/);
  });

  it('knows the key of the token that it issued, until the tunnel goes', async () => {
    const token = await tokenOf('local');
    const keyId = parseAgentToken(token)?.keyId ?? '';
    await until('the key', () => controller.findAgentKey(keyId) !== undefined);
    expect(tokenMatches(token, controller.findAgentKey(keyId)?.sha256 ?? '')).to.equal(true);
    expect(controller.findAgentKey('nosuchkey0')).to.equal(undefined);
  });

  for (const [index, what] of ['ServiceAccount', 'ClusterRoleBinding', 'Secret', 'Deployment'].entries()) {
    it(`makes a deleted ${what} again`, async () => {
      const [resource, address] = made('local')[index] ?? made('local')[0] ?? [RESOURCES.secret, { name: '' }];
      const uidOf = async () => (await hub.client.find<KubeObject>(resource, address, signal))?.metadata.uid;
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
      facts.set('local', { liveSessions: 1, gateways: 1, agents: [{ instanceId: 'a', version: '0.1.0' }], upstream });
      controller.enqueue('local');
      return hasReason('local', 'Ready', 'RequestsGetThrough');
    });
    await until('the Event', async () => (await hub.kubectl('get', 'events')).stdout.includes('Ready is True'));
    facts.delete('local');
    controller.enqueue('local');
    await until('not Ready', () => hasReason('local', 'Connected', 'NeverConnected'));
  });

  it('removes what it made when the tunnel is deleted', async () => {
    await hub.client.delete(RESOURCES.clusterTunnel, { name: 'local' }, signal);
    await until('the tunnel to go', async () => (await find('local')) === undefined);
    expect(await allMade('local')).to.equal(0);
    expect(await hub.client.find(RESOURCES.namespace, { name: namespace }, signal)).not.to.equal(undefined);
  });

  it("gives the API server's words and the remedy for a namespace without rights, and lets the tunnel go", async () => {
    await create('elsewhere', { agent: { namespace: 'elsewhere' } });
    await until('a condition', () => hasReason('elsewhere', 'Ready', 'Forbidden'));
    const message = (await condition('elsewhere', 'CredentialsReady'))?.message;
    expect(message).to.match(
      /cannot get resource "secrets".*in the namespace "elsewhere".*clustertunnel-agent-manager/,
    );
    await hub.client.delete(RESOURCES.clusterTunnel, { name: 'elsewhere' }, signal);
    await until('the tunnel to go', async () => (await find('elsewhere')) === undefined);
  });

  it('waits for the manifest of a Manual tunnel, and makes nothing', async () => {
    await create('manual', { agent: { placement: 'Manual' } });
    await until('a condition', () => hasReason('manual', 'Ready', 'ManifestNotApplied'));
    expect(await allMade('manual')).to.equal(0);
  });

  it('renders the manifest of a Manual tunnel with a token that it then knows, twice and not three times', async () => {
    const where = { name: 'manual', namespace: 'clustertunnel-system' };
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
    await until('the key', () => controller.findAgentKey(parseAgentToken(token)?.keyId ?? '') !== undefined);
    await until('a condition', () => hasReason('manual', 'CredentialsReady', 'TokenIssued'));
    await renderManifest(hub.client, where, signal);
    const error = await renderManifest(hub.client, where, signal).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'ClusterTunnel "manual" has 2 valid tokens already');
    expect(controller.findAgentKey(parseAgentToken(token)?.keyId ?? '')).not.to.equal(undefined);
  });

  it('says that a Manual tunnel has lost its only agent', async () => {
    facts.set('manual', { liveSessions: 1, gateways: 1, agents: [{ instanceId: 'a', version: '0.1.0' }] });
    controller.enqueue('manual');
    await until('a session', () => hasReason('manual', 'Connected', 'SessionOpen'));
    const lastDisconnect = { time: '2026-01-01T00:00:00.000Z', reason: 'SILENT' };
    facts.set('manual', { liveSessions: 0, gateways: 0, agents: [], lastDisconnect });
    controller.enqueue('manual');
    await until('the loss', () => hasReason('manual', 'Connected', 'SessionLost'));
  });

  it('says what is missing when no manifest can be rendered', async () => {
    const where = { name: 'nobody', namespace: 'clustertunnel-system' };
    const error = await renderManifest(hub.client, where, signal).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'there is no ClusterTunnel "nobody"');
  });

  it('publishes the gateway for users’ tools', async () => {
    const address = { namespace: 'clustertunnel-system', name: 'clustertunnel-gateway' };
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
