import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeKubeconfig } from '../../hack/lab/cluster/kubeconfig.ts';
import { PROGRAM } from '../../hack/lab/paths.ts';
import { InstalledLab, needControlPlane } from '../support/installed-lab.ts';
import { type ProgramResult, program } from '../support/program.ts';

const TUNNEL = 'home';

let lab: InstalledLab;

/** alice's kubeconfig of the hub, as a person would have written it. */
const MINE = (url: string, caPem: string, token: string) => `# my clusters
apiVersion: v1
kind: Config
current-context: hub   # the usual one
clusters:
- name: hub
  cluster: { server: '${url}', certificate-authority-data: ${Buffer.from(caPem).toString('base64')} }
- cluster:
    server: https://elsewhere.example:6443   # not ours
  name: elsewhere
users:
- name: alice
  user:
    token: "${token}"
contexts:
- {name: hub, context: {cluster: hub, user: alice}}
preferences: {}
`;

describe('clustertunnel kubeconfig', () => {
  before(async function () {
    needControlPlane(this);
    lab = await InstalledLab.start({ targets: 0 });
    await lab.apply({
      apiVersion: 'clustertunnel.io/v1alpha1',
      kind: 'ClusterTunnel',
      metadata: { name: TUNNEL },
      spec: { agent: { replicas: 1 } },
    });
    await lab.hub(['create', 'clusterrolebinding', 'alice', '--clusterrole=clustertunnel-user', '--user=alice']);
    await lab.hub(['-n', 'default', 'create', 'rolebinding', 'alice', '--clusterrole=edit', '--user=alice']);
    await lab.waitReady(TUNNEL);
  });

  after(async () => {
    await lab?.stop();
  });

  const path = (name: string) => join(lab.dir, name);

  /** The command as alice, who has a token and a ClusterRole, and nothing else in the hub. */
  function asAlice(args: readonly string[], file = 'alice'): Promise<ProgramResult> {
    return program(['kubeconfig', TUNNEL, ...args], { kubeconfig: path(file), home: lab.dir });
  }
  function writeAlice(name: string): void {
    const { url, caPem } = lab.lab.hub;
    writeFileSync(path(name), MINE(url, caPem, lab.lab.users.alice.token));
  }
  const kubectl = (file: string, args: readonly string[]) => lab.lab.kubectl(path(file), args);
  const whoami = async (file: string, ...args: string[]) => {
    const { stdout } = await kubectl(file, [...args, 'auth', 'whoami', '-o', 'json']);
    return JSON.parse(stdout).status.userInfo.username as string;
  };

  it('printed for a plain user: kubectl works through the tunnel, as that user', async () => {
    writeAlice('alice');
    const { stdout, stderr, exitCode } = await asAlice([]);
    expect(exitCode, stderr).to.equal(0);
    writeFileSync(path('printed'), stdout, { mode: 0o600 });
    const { stdout: server } = await kubectl('printed', [
      'config',
      'view',
      '-o',
      'jsonpath={.clusters[*].cluster.server}',
    ]);
    expect(server).to.equal(`${lab.lab.gatewayUrl}/clusters/${TUNNEL}`);
    expect(await whoami('printed')).to.equal('alice');
    await kubectl('printed', ['create', 'configmap', 'greeting', '--from-literal=text=hello']);
    const { stdout: text } = await lab.hub([
      '-n',
      'default',
      'get',
      'configmap',
      'greeting',
      '-o',
      'jsonpath={.data.text}',
    ]);
    expect(text).to.equal('hello');
    expect(stderr).to.contain('it was not checked that tunnel "home" exists');
  });

  it('merged into the file of the hub: both contexts work, nothing else changed, twice the same bytes', async () => {
    writeAlice('merged');
    const { stdout, stderr, exitCode } = await asAlice(['--write'], 'merged');
    expect(exitCode, stderr).to.equal(0);
    expect(stdout).to.equal('');
    expect(stderr).to.contain(`next: kubectl --context ${TUNNEL} get pods`);
    const after = readFileSync(path('merged'), 'utf8');
    expect(withoutOurs(after)).to.equal(readBack('alice'));
    expect(await whoami('merged', '--context', TUNNEL)).to.equal('alice');
    expect(await whoami('merged')).to.equal('alice');
    const again = await asAlice(['--write'], 'merged');
    expect(again.stderr).to.contain('nothing to change');
    expect(readFileSync(path('merged'), 'utf8')).to.equal(after);
  });

  it('what kubectl made of the file meanwhile is understood, and a namespace set there stays', async () => {
    await kubectl('merged', ['config', 'set-context', TUNNEL, '--namespace=default']);
    const byKubectl = readFileSync(path('merged'), 'utf8');
    const { exitCode, stderr } = await asAlice(['--write'], 'merged');
    expect(exitCode, stderr).to.equal(0);
    expect(readFileSync(path('merged'), 'utf8')).to.equal(byKubectl);
    await kubectl('merged', ['config', 'use-context', TUNNEL]);
    expect((await asAlice(['--write'], 'merged')).stderr, 'the hub behind the tunnel').to.contain('nothing to change');
    const { stdout } = await kubectl('merged', ['get', 'configmap', 'greeting', '-o', 'name']);
    expect(stdout.trim()).to.equal('configmap/greeting');
  });

  it('the lock is the one that kubectl respects', async () => {
    const before = readFileSync(path('merged'), 'utf8');
    writeFileSync(path('merged.lock'), '');
    const { exitCode, stderr } = await asAlice(['--write', '--use', '--set-context-name', 'other'], 'merged');
    const theirs = await lab.lab.kubectl(path('merged'), ['config', 'set-context', TUNNEL, '--namespace=x'], {
      mayFail: true,
    });
    rmSync(path('merged.lock'));
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(/^error: .*merged is locked\n {2}why: .*\n {2}do: {2}.*rm .*merged\.lock\n$/);
    expect(theirs.exitCode).to.equal(1);
    expect(theirs.stderr).to.contain('merged.lock');
    expect(readFileSync(path('merged'), 'utf8')).to.equal(before);
  });

  it('an administrator takes his client certificate with him, or brings a token', async () => {
    const hub = lab.lab.hub.kubeconfigPath;
    const own = await program(['kubeconfig', TUNNEL, '-o', path('own')], { kubeconfig: hub, home: lab.dir });
    expect(own.exitCode, own.stderr).to.equal(0);
    expect(await whoami('own', '--context', TUNNEL)).to.equal('lab');
    await lab.hub(['-n', 'default', 'create', 'serviceaccount', 'robot']);
    await lab.hub([
      'create',
      'clusterrolebinding',
      'robot',
      '--clusterrole=clustertunnel-user',
      '--serviceaccount=default:robot',
    ]);
    const { stdout: token } = await lab.hub(['-n', 'default', 'create', 'token', 'robot']);
    const args = ['kubeconfig', TUNNEL, '--token-file', '-', '-o', path('robot')];
    const { exitCode, stderr } = await program(args, { kubeconfig: hub, home: lab.dir, input: token });
    expect(exitCode, stderr).to.equal(0);
    expect(stderr).not.to.contain('note:');
    expect(statSync(path('robot')).mode & 0o777).to.equal(0o600);
    expect(await whoami('robot', '--context', TUNNEL)).to.equal('clustertunnel:hub:default:robot');
  });

  describe('with --exec', () => {
    /** `clustertunnel` on the PATH of kubectl. */
    const environment = () => ({ PATH: `${path('bin')}:${process.env['PATH']}` });
    before(() => {
      mkdirSync(path('bin'));
      writeFileSync(path('bin/clustertunnel'), `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`, {
        mode: 0o755,
      });
    });
    const whoIs = async (file: string) => {
      const args = ['auth', 'whoami', '-o', 'json'];
      const { stdout } = await lab.lab.kubectl(path(file), args, { environment: environment() });
      return JSON.parse(stdout).status.userInfo.username as string;
    };

    it('nothing secret is in the file, and kubectl asks clustertunnel for the credential of the hub', async () => {
      writeAlice('alice-exec');
      const { stderr, exitCode } = await asAlice(['--exec', '--use', '-o', path('exec')], 'alice-exec');
      expect(exitCode, stderr).to.equal(0);
      expect(readFileSync(path('exec'), 'utf8')).not.to.contain(lab.lab.users.alice.token);
      expect(await whoIs('exec')).to.equal('alice');
    });

    it('a plugin of the hub is run in its turn', async () => {
      const script = `#!/bin/sh\nprintf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$1"\n`;
      writeFileSync(path('bin/hub-login'), script, { mode: 0o755 });
      const exec = {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: path('bin/hub-login'),
        args: [lab.lab.users.alice.token],
        interactiveMode: 'Never',
      };
      writeAlice('alice-plugin');
      const text = readFileSync(path('alice-plugin'), 'utf8');
      writeFileSync(path('alice-plugin'), text.replace(/token: .*/, `exec: ${JSON.stringify(exec)}`));
      expect((await asAlice(['--exec', '--use', '-o', path('plugin')], 'alice-plugin')).exitCode).to.equal(0);
      expect(await whoIs('plugin')).to.equal('alice');
    });

    it('tokens of a service account are minted, each for an hour; without the right to, kubectl says so', async () => {
      await lab.hub(['create', 'namespace', 'ci']);
      await lab.hub(['-n', 'ci', 'create', 'serviceaccount', 'deployer']);
      const account = 'ci/deployer';
      const binding = ['clusterrolebinding', 'deployer', '--clusterrole=clustertunnel-user'];
      await lab.hub(['create', ...binding, '--serviceaccount=ci:deployer']);
      writeAlice('alice-account');
      const options = ['--service-account', account, '--use', '-o', path('account')];
      expect((await asAlice(options, 'alice-account')).exitCode).to.equal(0);
      const refused = await lab.lab.kubectl(path('account'), ['get', '--raw', '/version'], {
        environment: environment(),
        mayFail: true,
      });
      expect(refused.stderr).to.contain('cannot create resource "serviceaccounts/token"');
      expect(refused.exitCode).to.equal(1);
      const rights = ['--verb=create', '--resource=serviceaccounts/token', '--resource-name=deployer'];
      await lab.hub(['-n', 'ci', 'create', 'role', 'minter', ...rights]);
      await lab.hub(['-n', 'ci', 'create', 'rolebinding', 'minter', '--role=minter', '--user=alice']);
      expect(await whoIs('account')).to.equal('clustertunnel:hub:ci:deployer');
      const { stdout } = await program(['credential', '--context', 'hub', '--service-account', account], {
        kubeconfig: path('alice-account'),
        home: lab.dir,
      });
      const { kind, status } = JSON.parse(stdout);
      expect(kind).to.equal('ExecCredential');
      const leftMs = Date.parse(status.expirationTimestamp) - Date.now();
      expect(leftMs).to.be.within(3_000_000, 3_700_000);
    });
  });

  it('a tunnel that does not exist is an error of three lines', async () => {
    const admin = path('admin');
    const { url, caPem } = lab.lab.hub;
    const { token } = lab.lab.users['lab-admin'];
    writeKubeconfig(admin, { cluster: 'hub', url, caPem, user: 'admin', credential: { token } });
    await lab.hub(['create', 'clusterrole', 'viewer', '--verb=get', '--resource=clustertunnels.clustertunnel.io']);
    await lab.hub(['create', 'clusterrolebinding', 'viewers', '--clusterrole=viewer', '--group=lab:admins']);
    const { exitCode, stderr } = await program(['kubeconfig', 'nowhere'], { kubeconfig: admin, home: lab.dir });
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(/^error: there is no ClusterTunnel "nowhere"\n {2}why: .*\n {2}do: {2}.*\n$/);
  });

  const readBack = (name: string) => readFileSync(path(name), 'utf8');
});

/** The text without the entries that carry our marker: from their dash to the next line that is less indented. */
function withoutOurs(text: string): string {
  return text.replace(/^- (cluster|context|user):\n( {2}.*\n)*? {6}name: clustertunnel\.io\n( {2}.*\n)*/gm, '');
}
