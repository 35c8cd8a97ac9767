import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Pod } from '../../hack/lab/api/pod.ts';
import { findBinaries } from '../../hack/lab/binaries.ts';
import { type Cluster, startCluster } from '../../hack/lab/cluster/cluster.ts';
import { type KubectlResult, kubectl } from '../../hack/lab/kubectl.ts';
import { eventually } from '../../hack/lab/pause.ts';
import { podProcesses } from '../../hack/lab/pod-process.ts';
import { isAlive } from '../../hack/lab/processes/identity.ts';

const ECHO = fileURLToPath(new URL('../hack/lab/fixtures/echo.mjs', import.meta.url));
const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'echo', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'echo' } },
    template: {
      metadata: { labels: { app: 'echo' } },
      spec: {
        terminationGracePeriodSeconds: 5,
        containers: [
          {
            name: 'echo',
            image: 'example.com/lab-echo:v1',
            args: ['$(POD_NAME)'],
            env: [
              { name: 'PORT', value: '8080' },
              { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            ],
            ports: [{ name: 'http', containerPort: 8080 }],
            readinessProbe: { httpGet: { port: 'http', path: '/' } },
            volumeMounts: [{ name: 'greeting', mountPath: '/etc/greeting' }],
          },
        ],
        volumes: [{ name: 'greeting', secret: { secretName: 'greeting' } }],
      },
    },
  },
};

const found = findBinaries();
const suite = 'files' in found ? describe : describe.skip;

suite(`integration/lab${'reason' in found ? ` (skipped: ${found.reason})` : ''}`, function () {
  this.timeout(60_000);
  let folder: string;
  let cluster: Cluster;
  const run = (args: readonly string[], input?: unknown): Promise<KubectlResult> => {
    if (!('files' in found)) throw new Error(found.reason);
    const program = { file: found.files.kubectl, cacheFolder: join(folder, 'kubectl') };
    return kubectl(program, cluster.kubeconfigPath, args, input === undefined ? {} : { input: JSON.stringify(input) });
  };
  const secret = (text: string): object => {
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'greeting', namespace: 'default' },
      stringData: { text },
    };
  };
  const ask = async (path: string): Promise<string> => {
    const [owner] = podProcesses(cluster.dir, { namespace: 'default', pod: 'echo' });
    const response = await fetch(`http://${owner?.pod?.podIP}:8080${path}`);
    return response.text();
  };

  before(async () => {
    if (!('files' in found)) return;
    folder = await mkdtemp(join(tmpdir(), 'lab-'));
    const images = { 'lab-echo': [process.execPath, ECHO] };
    cluster = await startCluster({
      name: 'test',
      dir: join(folder, 'test'),
      binaries: found,
      processNode: { images, restartBaseMs: 200 },
    });
  });
  after(async () => {
    await cluster?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  it('keeps a pod waiting for its Secret, then runs it', async () => {
    await run(['apply', '--server-side', '-f', '-'], DEPLOYMENT);
    const isHeldUp = async (): Promise<boolean> =>
      (await run(['get', 'events', '--field-selector=reason=FailedMount'])).stdout.includes(
        'secret "greeting" not found',
      );
    expect(await eventually(isHeldUp, { timeoutMs: 10_000 })).to.equal(true);
    expect(podProcesses(cluster.dir, { namespace: 'default' })).to.deep.equal([]);
    await run(['apply', '--server-side', '-f', '-'], secret('hello'));
    await run(['wait', 'deployment/echo', '--for=condition=Available', '--timeout=20s']);
    expect(await ask('/greeting')).to.equal('hello');
    expect(Number(await ask('/token'))).to.be.greaterThan(500);
  });

  it('gives the pod nothing of the environment it was started from', async () => {
    const environment = JSON.parse(await ask('/env')) as Record<string, string>;
    expect(environment).to.have.property('KUBERNETES_SERVICE_PORT', new URL(cluster.url).port);
    expect(environment).not.to.have.any.keys('KUBEBUILDER_ASSETS', 'NODE_OPTIONS', 'PWD', 'TERM');
  });

  it('shows a changed Secret in the running pod', async () => {
    await run(['apply', '--server-side', '--force-conflicts', '-f', '-'], secret('good bye'));
    expect(await eventually(async () => (await ask('/greeting')) === 'good bye', { timeoutMs: 2_000 })).to.equal(true);
  });

  it('serves its log', async () => {
    const { stdout } = await run(['logs', 'deployment/echo']);
    expect(stdout).to.match(/^listening with echo-\S+\n$/);
  });

  it('restarts a process that was killed, and keeps the log of the one before', async () => {
    const [first] = podProcesses(cluster.dir, { namespace: 'default', pod: 'echo' });
    process.kill(first?.pid ?? 0, 'SIGKILL');
    const hasRestarted = async (): Promise<boolean> => {
      const { items } = await cluster.client.get<{ items: Pod[] }>('/api/v1/namespaces/default/pods');
      const status = items[0]?.status?.containerStatuses?.[0];
      return status?.restartCount === 1 && status.ready && status.lastState.terminated?.exitCode === 137;
    };
    expect(await eventually(hasRestarted, { timeoutMs: 10_000 })).to.equal(true);
    expect((await run(['logs', 'deployment/echo', '--previous'])).stdout).to.include('listening');
  });

  it('survives the death of its API server', async () => {
    const [before] = podProcesses(cluster.dir, { namespace: 'default', pod: 'echo' });
    await cluster.apiServer.kill();
    await cluster.apiServer.start();
    await run(['scale', 'deployment/echo', '--replicas=2']);
    await run(['wait', 'deployment/echo', '--for=jsonpath={.status.readyReplicas}=2', '--timeout=20s']);
    const now = podProcesses(cluster.dir, { namespace: 'default', pod: 'echo' });
    expect(now.map(({ pid }) => pid)).to.include(before?.pid);
  });

  it('says who called whom in the audit log', () => {
    const users = readFileSync(cluster.auditLogPath, 'utf8').trimEnd().split('\n');
    const names = new Set(users.map((line) => (JSON.parse(line) as { user: { username: string } }).user.username));
    expect(names).to.include.keys('system:node:test-node', 'lab', 'system:kube-scheduler');
  });

  it('ends the processes of a deleted Deployment', async () => {
    const records = podProcesses(cluster.dir, { namespace: 'default', pod: 'echo' });
    await run(['delete', 'deployment/echo']);
    await run(['wait', 'pod', '--selector=app=echo', '--for=delete', '--timeout=20s']);
    expect(records).to.have.length(2);
    expect(records.filter(isAlive)).to.deep.equal([]);
  });

  it('leaves no process when it stops', async () => {
    const records = cluster.ledger.read();
    expect(records.map(({ name }) => name)).to.include.members(['etcd', 'kube-apiserver']);
    await cluster.stop();
    expect(records.filter(isAlive)).to.deep.equal([]);
    expect(cluster.ledger.read()).to.deep.equal([]);
  });
});
