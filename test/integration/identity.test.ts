import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { until } from '../../hack/lab/until.ts';
import { InstalledLab, needControlPlane } from '../support/installed-lab.ts';

const TUNNEL = 'local';
const EXTRAS_CONFIG = fileURLToPath(new URL('../../config/extras', import.meta.url));
const WHOAMI = ['auth', 'whoami', '-o', 'json'];

let lab: InstalledLab;

describe('identity at a real hub', () => {
  before(async function () {
    needControlPlane(this);
    lab = await InstalledLab.start({ targets: 0 });
    const metadata = { name: TUNNEL };
    await lab.apply({
      apiVersion: 'clustertunnel.io/v1alpha1',
      kind: 'ClusterTunnel',
      metadata,
      spec: { health: { interval: '1s' } },
    });
    for (const user of ['alice', 'jane']) {
      await lab.hub([
        'create',
        'clusterrolebinding',
        `${user}-uses`,
        '--clusterrole=clustertunnel-user',
        `--user=${user}`,
      ]);
    }
    await lab.waitReady(TUNNEL);
  });

  after(async () => {
    await lab?.stop();
  });

  const whoami = (stdout: string) => JSON.parse(stdout).status.userInfo;
  const spec = (access: object) =>
    lab.hub(['patch', 'ct', TUNNEL, '--type=merge', '-p', JSON.stringify({ spec: { access } })]);

  /** The hub's own administrator, who logs in with a client certificate, at the tunnel. */
  async function byCertificate(): Promise<string> {
    // The lab writes its kubeconfigs as JSON.
    const kubeconfig = JSON.parse(readFileSync(lab.lab.hub.kubeconfigPath, 'utf8'));
    kubeconfig.clusters[0].cluster = {
      server: `${lab.lab.gatewayUrl}/clusters/${TUNNEL}`,
      'certificate-authority-data': Buffer.from(lab.gatewayCa).toString('base64'),
    };
    const path = join(lab.dir, 'certificate.kubeconfig');
    writeFileSync(path, JSON.stringify(kubeconfig), { mode: 0o600 });
    return path;
  }

  it('a client certificate of the hub is a log-in; system:masters stays at the hub', async () => {
    const path = await byCertificate();
    const { stdout } = await lab.lab.kubectl(path, WHOAMI);
    expect(whoami(stdout)).to.deep.include({ username: 'lab', groups: ['system:authenticated'] });
    const { stderr, exitCode } = await lab.lab.kubectl(path, ['get', 'secrets', '-A'], { mayFail: true });
    expect(exitCode).to.equal(1);
    expect(stderr).to.include('User "lab" cannot list resource "secrets"');
  });

  it('--as works for who may impersonate at the hub, and not for others', async () => {
    const path = await byCertificate();
    const as = ['--as=jane', '--as-group=dev', '--as-uid=u-7'];
    const { stdout } = await lab.lab.kubectl(path, [...WHOAMI, ...as]);
    expect(whoami(stdout)).to.deep.include({ username: 'jane', uid: 'u-7', groups: ['dev', 'system:authenticated'] });
    const refused = await lab.through(TUNNEL, 'alice', ['get', 'pods', '--as=jane'], { mayFail: true });
    expect(refused.stderr).to.include('User "alice" cannot impersonate resource "users"');
    const reserved = await lab.lab.kubectl(path, ['get', 'pods', '--as=system:admin', '--as-group=system:masters'], {
      mayFail: true,
    });
    expect(reserved.stderr).to.include('reserved');
  });

  it('extras that the tunnel names pass, once the agent may impersonate them; until then it is said what to do', async () => {
    const path = await byCertificate();
    const key = 'example.com/scopes';
    const as = ['--as=jane', `--as-user-extra=${key}=read`, `--as-user-extra=${key}=write`, '--as-user-extra=team=x'];
    const extraOf = async () => whoami((await lab.lab.kubectl(path, [...WHOAMI, ...as])).stdout).extra;
    expect(await extraOf()).to.equal(undefined);
    await spec({ impersonate: { extras: [key] } });
    await until('what to do', async () => {
      const query = ['get', 'ct', TUNNEL, '-o', 'jsonpath={.status.conditions[?(@.type=="UpstreamHealthy")].message}'];
      const { stdout } = await lab.hub(query);
      return stdout.includes(`userextras/${key}`) && stdout.includes('config/extras') ? true : undefined;
    });
    const refused = await lab.lab.kubectl(path, ['get', 'pods', ...as], { mayFail: true });
    expect(refused.stderr).to.include(`cannot impersonate resource "userextras/${key}"`);
    await lab.hub(['apply', '-k', EXTRAS_CONFIG]);
    await lab.waitReady(TUNNEL);
    expect(await extraOf()).to.deep.equal({ [key]: ['read', 'write'] });
    const alice = await lab.through(TUNNEL, 'alice', ['get', 'pods', ...as], { mayFail: true });
    expect(alice.stderr).to.include('cannot impersonate resource');
    await spec({ impersonate: { extras: [] } });
    await until('nothing to pass', async () => ((await extraOf()) === undefined ? true : undefined));
  });

  it('a reserved extra is refused by the API server', async () => {
    const extras = ['authentication.kubernetes.io/credential-id'];
    const access = { impersonate: { extras } };
    const patch = ['patch', 'ct', TUNNEL, '--type=merge', '-p', JSON.stringify({ spec: { access } })];
    const { stderr } = await lab.hub(patch, { mayFail: true });
    expect(stderr).to.include('must not be below kubernetes.io or k8s.io');
  });

  it('a read-only tunnel lets questions about oneself pass, and no write', async () => {
    await spec({ readOnly: true });
    const create = ['-n', 'default', 'create', 'configmap', 'a'];
    await until('the refusal', async () => {
      const { stderr } = await lab.through(TUNNEL, 'alice', create, { mayFail: true });
      return stderr.includes('is read-only') ? true : undefined;
    });
    const { stdout } = await lab.through(TUNNEL, 'alice', ['auth', 'can-i', 'get', 'pods'], { mayFail: true });
    expect(stdout.trim()).to.equal('no');
    await spec({ readOnly: false });
  });

  it('prefixes, and a tunnel that acts as its agent', async () => {
    const become = (wanted: string) =>
      until(wanted, async () => {
        const { stdout, exitCode } = await lab.through(TUNNEL, 'alice', WHOAMI, { mayFail: true });
        return exitCode === 0 && whoami(stdout).username === wanted ? whoami(stdout) : undefined;
      });
    await spec({ userPrefix: 'hub:' });
    await become('hub:alice');
    await spec({ userPrefix: '', mode: 'Agent' });
    await become('system:serviceaccount:clustertunnel-agent:clustertunnel-agent-local');
    await lab.waitReady(TUNNEL);
    await spec({ mode: 'Impersonate' });
    await become('alice');
  });

  it('a prefix that is reserved is refused by the API server', async () => {
    const patch = ['patch', 'ct', TUNNEL, '--type=merge', '-p', '{"spec":{"access":{"userPrefix":"system:"}}}'];
    const { stderr } = await lab.hub(patch, { mayFail: true });
    expect(stderr).to.include('must not begin with system: or clustertunnel:');
  });
});
