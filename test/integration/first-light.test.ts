import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { PROGRAM } from '../../hack/lab/paths.ts';
import { until } from '../../hack/lab/until.ts';
import { InstalledLab, needControlPlane } from '../support/installed-lab.ts';

const LOCAL = 'home';
const MANUAL = 'far';
const WATCHES = 50;

const clusterTunnel = (name: string, spec: object) => ({
  apiVersion: 'clustertunnel.io/v1alpha1',
  kind: 'ClusterTunnel',
  metadata: { name },
  spec,
});

let lab: InstalledLab;

describe('first light: a user with a hub and a cluster behind NAT', () => {
  before(async function () {
    needControlPlane(this);
    lab = await InstalledLab.start({ targets: 1 });
    await lab.apply(
      clusterTunnel(LOCAL, { agent: { replicas: 1 } }),
      clusterTunnel(MANUAL, { agent: { placement: 'Manual', replicas: 1 } }),
    );
    await lab.hub(['create', 'clusterrolebinding', 'alice', '--clusterrole=clustertunnel-user', '--user=alice']);
    await lab.hub(['create', 'clusterrolebinding', 'admins', '--clusterrole=clustertunnel-user', '--group=lab:admins']);
  });

  after(async () => {
    await lab?.stop();
  });

  it('a Local tunnel becomes Ready, and kubectl wait sees it', async () => {
    const { stdout } = await lab.waitReady(LOCAL);
    expect(stdout).to.contain('condition met');
  });

  it('a Manual tunnel says which command to run, and is Ready once its manifest is applied', async () => {
    const { stdout } = await lab.hub([
      'get',
      'ct',
      MANUAL,
      '-o',
      'jsonpath={.status.conditions[?(@.type=="CredentialsReady")].message}',
    ]);
    expect(stdout).to.contain(`clustertunnel manifest ${MANUAL}`);
    const manifest = await run([PROGRAM, 'manifest', MANUAL], lab.lab.hub.kubeconfigPath);
    await lab.lab.kubectl(lab.target, ['apply', '-f', '-'], { input: manifest.stdout });
    await lab.waitReady(MANUAL);
  });

  it('kubectl get ct shows readiness, connection, agents, version and endpoint', async () => {
    const { stdout } = await lab.hub(['get', 'ct', LOCAL]);
    const [header = '', row = ''] = stdout.split('\n');
    expect(header.split(/\s+/).filter(Boolean)).to.deep.equal([
      'NAME',
      'READY',
      'CONNECTED',
      'AGENTS',
      'VERSION',
      'ENDPOINT',
      'AGE',
    ]);
    expect(row.split(/\s+/).slice(0, 6)).to.deep.equal([
      LOCAL,
      'True',
      'True',
      '1/1',
      'v1.36.3',
      `${lab.lab.gatewayUrl}/clusters/${LOCAL}`,
    ]);
    const wide = await lab.hub(['get', 'ct', '-o', 'wide']);
    expect(wide.stdout).to.match(/REASON\s+MESSAGE/);
  });

  it('kubectl explain describes the limits with their units', async () => {
    const { stdout } = await lab.hub(['explain', 'ct.spec.limits']);
    for (const field of ['maxConcurrentRequests', 'maxStreamBufferBytes', 'maxBufferBytes'])
      expect(stdout).to.contain(field);
    expect(stdout).to.match(/bytes/i);
  });

  it('a user of the hub acts at the target by his own name and groups', async () => {
    const { stdout } = await lab.through(MANUAL, 'lab-admin', ['auth', 'whoami', '-o', 'json']);
    const { username, groups } = JSON.parse(stdout).status.userInfo;
    expect(username).to.equal('lab-admin');
    expect(groups).to.have.members(['lab:admins', 'system:authenticated']);
  });

  it('a service account of the hub is somebody else at the target', async () => {
    await lab.hub(['-n', 'default', 'create', 'serviceaccount', 'robot']);
    await lab.hub([
      'create',
      'clusterrolebinding',
      'robot',
      '--clusterrole=clustertunnel-user',
      '--serviceaccount=default:robot',
    ]);
    const token = (await lab.hub(['-n', 'default', 'create', 'token', 'robot'])).stdout.trim();
    const { stdout } = await lab.through(MANUAL, { token }, ['auth', 'whoami', '-o', 'json']);
    const { username, groups } = JSON.parse(stdout).status.userInfo;
    expect(username).to.equal('clustertunnel:hub:default:robot');
    expect(groups).to.deep.equal(['system:authenticated']);
  });

  it('a user without rights in the hub gets 403 from the gateway, whether the tunnel exists or not', async () => {
    for (const tunnel of [MANUAL, 'nowhere']) {
      const { exitCode, stderr } = await lab.through(tunnel, 'bob', ['get', 'pods'], { mayFail: true });
      expect(exitCode).to.equal(1);
      expect(stderr).to.contain(
        `clustertunnels.clustertunnel.io "${tunnel}" is forbidden: User "bob" cannot get resource "clustertunnels/proxy"`,
      );
    }
  });

  it("a user with rights in the hub and none at the target gets the target's own 403, by his name", async () => {
    const { exitCode, stderr } = await lab.through(MANUAL, 'alice', ['get', 'secrets', '-A'], { mayFail: true });
    expect(exitCode).to.equal(1);
    expect(stderr).to.contain(
      'secrets is forbidden: User "alice" cannot list resource "secrets" in API group "" at the cluster scope',
    );
  });

  it('an unknown token gets 401, and --as gets 403', async () => {
    const stranger = await lab.through(MANUAL, { token: 'nobody' }, ['get', 'pods'], { mayFail: true });
    expect(stranger.stderr).to.contain('You must be logged in to the server');
    const pretender = await lab.through(MANUAL, 'alice', ['get', 'pods', '--as=root'], { mayFail: true });
    expect(pretender.exitCode).to.equal(1);
    expect(pretender.stderr).to.contain('User "alice" cannot impersonate resource "users"');
  });

  it('kubectl works through the tunnel: apply, get, patch, wait, delete', async () => {
    const kubectl = (args: string[], input = '') => lab.through(MANUAL, 'lab-admin', args, { input });
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'greeting' }, data: { text: 'hello' } };
    await kubectl(['apply', '-f', '-'], JSON.stringify(object));
    await kubectl(
      ['apply', '--server-side', '--force-conflicts', '-f', '-'],
      JSON.stringify({ ...object, data: { text: 'again' } }),
    );
    await kubectl(['patch', 'configmap', 'greeting', '-p', '{"data":{"more":"ü"}}']);
    const { stdout } = await kubectl(['get', 'configmap', 'greeting', '-o', 'jsonpath={.data.text} {.data.more}']);
    expect(stdout).to.equal('again ü');
    await kubectl(['delete', 'configmap', 'greeting']);
  });

  it('an unknown field, a wrong unit and contradicting fields each get one clear sentence', async () => {
    const refused = async (spec: object) => {
      const { stderr } = await lab.hub(['apply', '-f', '-'], {
        input: JSON.stringify(clusterTunnel('bad', spec)),
        mayFail: true,
      });
      return stderr;
    };
    expect(await refused({ limits: { maxConcurentRequests: 3 } })).to.contain(
      'unknown field "spec.limits.maxConcurentRequests"',
    );
    expect(await refused({ limits: { maxBufferBytes: '32MB' } })).to.match(
      /spec\.limits\.maxBufferBytes: Invalid value.*Mi/,
    );
    expect(await refused({ timeouts: { request: '2 minutes' } })).to.match(
      /spec\.timeouts\.request: Invalid value.*(ms|s|m)/,
    );
    expect(await refused({ limits: { maxStreamBufferBytes: '64Mi', maxBufferBytes: '32Mi' } })).to.match(
      /maxStreamBufferBytes.*maxBufferBytes/,
    );
  });

  it('the agent Secret deleted at the target: the tunnel recovers for Local by itself', async () => {
    const [agent] = lab.agents(lab.lab.hub, LOCAL);
    await lab.hub(['-n', 'clustertunnel-agent', 'delete', 'secret', `clustertunnel-agent-${LOCAL}`]);
    await until('a new Secret', async () => {
      const { exitCode } = await lab.hub(
        ['-n', 'clustertunnel-agent', 'get', 'secret', `clustertunnel-agent-${LOCAL}`],
        { mayFail: true },
      );
      return exitCode === 0 ? true : undefined;
    });
    if (agent !== undefined) process.kill(agent.pid, 'SIGKILL');
    await until('a session with the new token', async () => {
      const [fresh] = lab.agents(lab.lab.hub, LOCAL);
      return fresh !== undefined && fresh.pid !== agent?.pid ? fresh : undefined;
    });
    await lab.waitReady(LOCAL);
  });

  it('the Secret with the keys of a Manual tunnel deleted: one sentence says what and which command helps', async () => {
    await lab.hub(['-n', 'clustertunnel-system', 'delete', 'secret', `clustertunnel-keys-${MANUAL}`]);
    const jsonpath = 'jsonpath={.status.conditions[?(@.type=="CredentialsReady")]}';
    const condition = await until('the condition', async () => {
      const { stdout } = await lab.hub(['get', 'ct', MANUAL, '-o', jsonpath]);
      const seen = JSON.parse(stdout) as { status: string; reason: string; message: string };
      return seen.status === 'False' ? seen : undefined;
    });
    expect(condition.reason).to.equal('KeysMissing');
    expect(condition.message).to.match(/keys of this tunnel is gone.*clustertunnel manifest far/);
    const manifest = await run([PROGRAM, 'manifest', MANUAL], lab.lab.hub.kubeconfigPath);
    await lab.lab.kubectl(lab.target, ['apply', '-f', '-'], { input: manifest.stdout });
    await lab.waitReady(MANUAL);
  });

  it('50 watches run, the agent is killed: nothing of them is left at the gateway, and the tunnel is Ready again', async () => {
    const client = lab.gateway('lab-admin');
    const path = `/clusters/${MANUAL}/api/v1/namespaces/default/configmaps?watch=true`;
    const { gateway: before, handles } = await lab.operatorState();
    const watches = await Promise.all(
      Array.from({ length: WATCHES }, () => client.open({ path }, AbortSignal.timeout(60_000))),
    );
    const ended = watches.map(
      (watch) => new Promise<void>((resolve, reject) => watch.on('end', resolve).on('error', reject).resume()),
    );
    const during = await lab.counters();
    expect(during['streams'], 'streams while watching').to.equal((before['streams'] ?? 0) + WATCHES);
    const [agent] = lab.agents(lab.target, MANUAL);
    if (agent === undefined) throw new Error('no agent runs');
    process.kill(agent.pid, 'SIGKILL');
    await Promise.all(ended);
    client.close();
    await until(
      'nothing left at the gateway',
      async () => ((await isQuiet(before, handles)) ? true : undefined),
      5_000,
    );
    await until('a new session', async () => ((await lab.counters())['sessions'] === 2 ? true : undefined));
    await lab.waitReady(MANUAL);
  });

  it('the agent loses the right to impersonate: the tunnel is not Ready, and says what to restore', async () => {
    const binding = ['clusterrolebinding', `clustertunnel-agent-${MANUAL}`];
    await lab.hub(['patch', 'ct', MANUAL, '--type=merge', '-p', '{"spec":{"health":{"interval":"1s"}}}']);
    const { stdout: saved } = await lab.lab.kubectl(lab.target, ['get', ...binding, '-o', 'json']);
    await lab.lab.kubectl(lab.target, ['delete', ...binding]);
    const jsonpath = 'jsonpath={.status.conditions[?(@.type=="Ready")]}';
    const ready = await until('the condition', async () => {
      const { stdout } = await lab.hub(['get', 'ct', MANUAL, '-o', jsonpath]);
      const seen = JSON.parse(stdout) as { status: string; reason: string; message: string };
      return seen.status === 'False' ? seen : undefined;
    });
    expect(ready.reason).to.equal('ImpersonationDenied');
    expect(ready.message).to.contain('restore its ClusterRoleBinding');
    const { metadata, ...rest } = JSON.parse(saved) as { metadata: { name: string; labels: object } };
    const again = { ...rest, metadata: { name: metadata.name, labels: metadata.labels } };
    await lab.lab.kubectl(lab.target, ['apply', '-f', '-'], { input: JSON.stringify(again) });
    await lab.waitReady(MANUAL);
  });

  it('the operator restarts: it keeps its CA and keys, and agents come back', async () => {
    const authority = async () =>
      (await lab.hub(['-n', 'clustertunnel-system', 'get', 'secret', 'clustertunnel-ca', '-o', 'jsonpath={.data}']))
        .stdout;
    const before = await authority();
    await lab.hub(['-n', 'clustertunnel-system', 'rollout', 'restart', 'deployment/clustertunnel-operator']);
    await lab.hub(
      ['-n', 'clustertunnel-system', 'rollout', 'status', 'deployment/clustertunnel-operator', '--timeout=90s'],
      { timeoutMs: 100_000 },
    );
    await until(
      'both sessions at the new operator',
      async () => ((await lab.counters())['sessions'] === 2 ? true : undefined),
      60_000,
    );
    await lab.waitReady(MANUAL);
    expect(await authority()).to.equal(before);
    await lab.through(MANUAL, 'lab-admin', ['get', 'namespaces']);
  });

  it('deleting a Local tunnel removes what was made for it', async () => {
    await lab.hub(['delete', 'ct', LOCAL, '--timeout=60s'], { timeoutMs: 70_000 });
    const { stdout } = await lab.hub([
      '-n',
      'clustertunnel-agent',
      'get',
      'deployments,secrets,serviceaccounts',
      '-l',
      `clustertunnel.io/tunnel=${LOCAL}`,
      '-o',
      'name',
    ]);
    expect(stdout.trim()).to.equal('');
    const { stderr } = await lab.through(LOCAL, 'lab-admin', ['get', '--raw', '/version'], { mayFail: true });
    expect(stderr).to.contain(`clustertunnels.clustertunnel.io "${LOCAL}" not found`);
  });
});

/** No stream, request, waiter or byte is left, and no more sockets than before. */
async function isQuiet(before: Record<string, number>, handles: Record<string, number>): Promise<boolean> {
  const { gateway, handles: now } = await lab.operatorState();
  const { requests, waiting, streams, queuedBytes, bufferedBytes, budgetBytes, connections = 0 } = gateway;
  const isZero = [requests, waiting, streams, queuedBytes, bufferedBytes, budgetBytes].every((count) => count === 0);
  const sockets = now['TCPSocketWrap'] ?? 0;
  return isZero && connections <= (before['connections'] ?? 0) && sockets <= (handles['TCPSocketWrap'] ?? 0);
}

async function run(args: readonly string[], kubeconfig: string): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode !== 0 && stdout === '') throw new Error(stderr);
  return { stdout, stderr };
}
