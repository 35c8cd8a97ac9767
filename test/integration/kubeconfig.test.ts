import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeKubeconfig } from '../../hack/lab/cluster/kubeconfig.ts';
import { InstalledLab, whyNoControlPlane } from '../support/installed-lab.ts';
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
    const reason = whyNoControlPlane();
    if (reason !== undefined) {
      this.test?.parent?.eachTest((test) => {
        test.title += ` (${reason})`;
      });
      return this.skip();
    }
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
