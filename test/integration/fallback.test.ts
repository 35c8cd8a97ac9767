import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { REPOSITORY } from '../../hack/lab/paths.ts';
import { opsText } from '../support/installed-lab.ts';
import { AGENT_NAMESPACE, describeLife } from '../support/life.ts';
import { adminKubeconfig, altered, kubeconfigSecret, tokenKubeconfig } from '../support/remote-secret.ts';

const TUNNEL = 'far';
const ACCOUNT = 'hub-fallback';

/** What one test leaves to the next: they tell one story. */
describeLife('a target that the hub may reach itself while no agent is connected', { targets: 1 }, (life) => {
  const target = () => life().lab.target;
  const atTarget = async (args: readonly string[]) => (await life().lab.lab.kubectl(target(), args)).stdout.trim();
  const asAlice = async (...args: string[]) => (await life().lab.through(TUNNEL, 'alice', args)).stdout.trim();
  const headersOf = async (path: string) => {
    const response = await life()
      .client('alice')
      .open({ path: `/clusters/${TUNNEL}${path}` }, AbortSignal.timeout(30_000));
    response.resume();
    return response.headers;
  };

  before(async () => {
    await atTarget(['apply', '-k', join(REPOSITORY, 'config/remote')]);
    await atTarget(['-n', AGENT_NAMESPACE, 'create', 'serviceaccount', ACCOUNT]);
    const subject = `--serviceaccount=${AGENT_NAMESPACE}:${ACCOUNT}`;
    await atTarget(['create', 'clusterrolebinding', ACCOUNT, '--clusterrole=clustertunnel-agent', subject]);
    await atTarget(['create', 'clusterrolebinding', 'alice', '--clusterrole=admin', '--user=alice']);
    await life().create(TUNNEL, {
      agent: { placement: 'Manual' },
      fallback: { kubeconfigSecretRef: { name: 'far' } },
    });
  });

  it('says which Secret is missing, and which field of it is not used', async () => {
    await life().condition(TUNNEL, 'FallbackReady', { status: 'False', reason: 'KubeconfigMissing' });
    const exec = altered(adminKubeconfig(target()), { user: { exec: { command: 'aws' } } });
    await life().lab.apply(kubeconfigSecret('far', exec));
    const { message } = await life().condition(TUNNEL, 'FallbackReady', {
      status: 'False',
      reason: 'KubeconfigRefused',
    });
    expect(message).to.contain('users[0].user.exec: exec plugins are not run by the operator');
  });

  it('lets kubectl do all its work as the user, while the tunnel is not connected', async () => {
    const token = await atTarget(['-n', AGENT_NAMESPACE, 'create', 'token', ACCOUNT]);
    await life().lab.apply(kubeconfigSecret('far', tokenKubeconfig(target(), token)));
    await life().condition(TUNNEL, 'FallbackReady', { status: 'True', reason: 'RequestsGoDirectly' });
    await life().condition(TUNNEL, 'Connected', { status: 'False', reason: 'NeverConnected' });
    await life().condition(TUNNEL, 'Ready', { status: 'False' });
    expect(await asAlice('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}')).to.equal('alice');
    await asAlice('-n', 'default', 'create', 'configmap', 'direct', '--from-literal=a=1');
    expect(await asAlice('-n', 'default', 'get', 'configmap', 'direct', '-o', 'jsonpath={.data.a}')).to.equal('1');
    const watched = asAlice('-n', 'default', 'wait', 'configmap/direct', '--for=jsonpath={.data.a}=2', '--timeout=30s');
    await asAlice('-n', 'default', 'patch', 'configmap', 'direct', '-p', '{"data":{"a":"2"}}');
    expect(await watched).to.contain('condition met');
    const refused = await asAlice('get', 'nodes').catch((error: Error) => error.message);
    expect(refused).to.contain('nodes is forbidden: User "alice" cannot list resource "nodes"');
    expect((await headersOf('/version'))['x-clustertunnel-via']).to.equal('fallback');
    const audited = readFileSync(target().auditLogPath, 'utf8')
      .split('\n')
      .filter((line) => line.includes('configmaps/direct'));
    expect(audited.length).to.be.greaterThan(0);
    for (const line of audited) {
      expect(JSON.parse(line)).to.deep.include({
        impersonatedUser: { ...JSON.parse(line).impersonatedUser, username: 'alice' },
      });
      expect(JSON.parse(line).user.username).to.equal(`system:serviceaccount:${AGENT_NAMESPACE}:${ACCOUNT}`);
    }
    const metrics = await opsText(life().lab.operator(), 8080, '/metrics');
    expect(metrics).to.match(/clustertunnel_fallback_requests_total\{tunnel="far",result="answered"\} [1-9]/);
  });

  it('goes through the tunnel as soon as there is one', async () => {
    await life().lab.applyManifest(TUNNEL, target());
    await life().ready(TUNNEL, 60_000);
    await life().condition(TUNNEL, 'FallbackReady', { status: 'True', reason: 'Standby' });
    expect((await headersOf('/version'))['x-clustertunnel-via']).to.equal(undefined);
    expect(await asAlice('-n', 'default', 'get', 'configmap', 'direct', '-o', 'jsonpath={.data.a}')).to.equal('2');
  });

  it('goes directly again when the agent is gone for the grace, until the Secret is gone too', async () => {
    await life().change(TUNNEL, { timeouts: { disconnectGrace: '1s' } });
    await atTarget(['-n', AGENT_NAMESPACE, 'scale', 'deployment', `clustertunnel-agent-${TUNNEL}`, '--replicas=0']);
    await life().condition(TUNNEL, 'FallbackReady', { reason: 'RequestsGoDirectly' });
    expect((await headersOf('/version'))['x-clustertunnel-via']).to.equal('fallback');
    await life().lab.hub(['-n', 'clustertunnel-system', 'delete', 'secret', 'far']);
    await life().condition(TUNNEL, 'FallbackReady', { status: 'False', reason: 'KubeconfigMissing' });
    // Not kubectl: it would follow Retry-After.
    const told = await headersOf('/api/v1/namespaces/default').catch((error: Error) => error.message);
    expect(told).to.match(/is reconnecting|is not connected/);
  });
});
