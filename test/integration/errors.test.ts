import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { kubectlEnvironment } from '../../hack/lab/kubectl.ts';
import { until } from '../../hack/lab/until.ts';
import { InstalledLab, needControlPlane } from '../support/installed-lab.ts';

const FAR = 'far';
const NEVER = 'never';
const SUSPENDED = 'asleep';
const TRACE = /\(trace [0-9a-f]{32}\)/;
/** kubectl says this of any 503 that it meets on its way to know the cluster. */
const UNABLE = 'Error from server (ServiceUnavailable): the server is currently unable to handle the request';
/** Each gives up at once; a kubectl that waits or repeats does not end within this time. */
const AT_ONCE = { timeoutMs: 20_000, mayFail: true };
/** How kubectl speaks with the gateway. */
const WAYS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'HTTP/2': {},
  'HTTP/1.1': { DISABLE_HTTP2: '1' },
};

const clusterTunnel = (name: string, spec: object = {}) => ({
  apiVersion: 'clustertunnel.io/v1alpha1',
  kind: 'ClusterTunnel',
  metadata: { name },
  spec: { agent: { placement: 'Manual', replicas: 1 }, ...spec },
});

let lab: InstalledLab;

describe('errors, as a person who types kubectl reads them', () => {
  before(async function () {
    needControlPlane(this);
    lab = await InstalledLab.start({ targets: 1 });
    await lab.apply(clusterTunnel(FAR), clusterTunnel(NEVER), clusterTunnel(SUSPENDED, { suspend: true }));
    await lab.hub(['create', 'clusterrolebinding', 'admins', '--clusterrole=clustertunnel-user', '--group=lab:admins']);
    await lab.applyManifest(FAR, lab.target);
    await lab.waitReady(FAR);
  });

  after(async () => {
    await lab?.stop();
  });

  for (const args of [
    ['get', 'pods'],
    ['get', 'pods', '-w'],
    ['logs', '-f', 'web'],
    ['exec', 'web', '--', 'ls'],
    ['version'],
  ]) {
    it(`kubectl ${args.join(' ')} of a tunnel that never connected: ends at once, and says what to look at`, async () => {
      const { exitCode, stderr } = await lab.through(NEVER, 'lab-admin', args, AT_ONCE);
      expect(exitCode).to.equal(1);
      const sentence = 'Warning: tunnel "never" is not connected; see kubectl describe clustertunnel never';
      expect(stderr.split(sentence), stderr).to.have.length(2);
      expect(stderr).to.contain(UNABLE);
    });
  }

  it('kubectl apply of a tunnel that is suspended: likewise', async () => {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } });
    const { exitCode, stderr } = await lab.through(SUSPENDED, 'lab-admin', ['apply', '-f', '-'], { ...AT_ONCE, input });
    expect(exitCode).to.equal(1);
    expect(stderr).to.contain('Warning: tunnel "asleep" is suspended: set spec.suspend to false to use it\n');
  });

  it('who knows the cluster already reads the message itself, with its trace id', async () => {
    const { exitCode, stderr } = await lab.through(
      NEVER,
      'lab-admin',
      ['get', '--raw', '/api/v1/namespaces/default/pods'],
      AT_ONCE,
    );
    expect(exitCode).to.equal(1);
    expect(stderr)
      .to.contain('Error from server (ServiceUnavailable): tunnel "never" is not connected')
      .and.match(TRACE);
  });

  it('an unknown tunnel, a missing right, a bad token: each in its own words', async () => {
    const told = async (tunnel: string, user: Parameters<InstalledLab['through']>[1]) => {
      const { exitCode, stderr } = await lab.through(tunnel, user, ['get', 'pods'], AT_ONCE);
      expect(exitCode).to.equal(1);
      return stderr;
    };
    expect(await told('nowhere', 'lab-admin')).to.contain(
      'Warning: clustertunnels.clustertunnel.io "nowhere" not found\n',
    );
    expect(await told('elsewhere', 'bob')).to.contain('User "bob" cannot get resource "clustertunnels/proxy"');
    expect(await told('elsewhere', { token: 'nobody' })).to.contain('the hub does not know this token');
  });

  describe('whose agent is lost on the way', () => {
    /** kubectl that is cut once it has said something. */
    const cut = async (args: readonly string[], environment: Readonly<Record<string, string>>) => {
      const { binaries } = lab.lab;
      const child = spawn(binaries.files.kubectl, args, {
        env: { ...kubectlEnvironment(lab.dir, lab.kubeconfigFor(FAR, 'lab-admin')), ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 60_000,
      });
      const closed = once(child, 'close');
      const stderr = text(child.stderr);
      await once(child.stdout, 'data');
      child.stdout.resume();
      // A watch begins when its list was shown.
      await until('its stream', async () => (await lab.counters())['streams'] === 1 || undefined);
      const [agent] = lab.agents(lab.target, FAR);
      if (agent === undefined) throw new Error('no agent runs');
      process.kill(agent.pid, 'SIGKILL');
      const [exitCode] = await closed;
      await until('another agent', () => lab.agents(lab.target, FAR).some(({ pid }) => pid !== agent.pid) || undefined);
      await lab.waitReady(FAR);
      return { exitCode, stderr: (await stderr).replace(/^.*HTTP2 has been explicitly disabled\n/m, '') };
    };

    for (const [way, environment] of Object.entries(WAYS)) {
      it(`kubectl logs -f over ${way} fails: nobody takes what came for the whole`, async () => {
        const namespace = ['-n', 'clustertunnel-agent'];
        const { stdout } = await lab.lab.kubectl(lab.target, [...namespace, 'get', 'pods', '-o', 'name']);
        const { exitCode, stderr } = await cut([...namespace, 'logs', '-f', stdout.trim()], environment);
        expect(exitCode).to.equal(1);
        expect(stderr).to.match(/error: (stream error: .*INTERNAL_ERROR|unexpected EOF)/);
      });

      it(`kubectl get -w over ${way} ends quietly`, async () => {
        const { exitCode, stderr } = await cut(['get', 'configmaps', '-A', '-w'], environment);
        expect({ exitCode, stderr }).to.deep.equal({ exitCode: 0, stderr: '' });
      });
    }
  });
});
