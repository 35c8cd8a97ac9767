import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { podProcesses } from '../lab/pod-process.ts';
import { reportIfSlow } from '../lab/progress.ts';
import { until } from '../lab/until.ts';
import { MemoryWatch, mebibytes } from './memory.ts';
import { MANUAL, NAMESPACE, type Stage } from './stage.ts';
import { expect, type Step } from './story.ts';

const OBJECTS = 112;
/** Of text in each object; etcd takes 1.5 MiB a request. */
const OBJECT_BYTES = 950_000;
const BIG_BYTES = 100_000_000;
const BIG_PATH = `/clusters/${MANUAL}/api/v1/namespaces/${NAMESPACE}/configmaps?labelSelector=demo%3Dbig`;
const CANCEL_AFTER_BYTES = 5_000_000;
const BIG_TIMEOUT_MS = 60_000;
/** What one process may grow by while 100 MB pass through it: its buffers, and what the collector has not yet seen. */
const GROWTH_LIMIT_BYTES = 96 * 1024 * 1024;

/** What breaks tunnels: size, cancellation, death. */
export const extremeSteps: readonly Step[] = [
  { name: 'a response of 100 MB passes, while agent and gateway stay small', run: showBigResponse },
  { name: 'a request cancelled half-way is aborted at the target', run: showCancel },
  { name: 'the agent is killed, and the tunnel is Ready again by itself', run: showRecovery },
];

async function showBigResponse(stage: Stage, show: (text: string) => void): Promise<void> {
  await reportIfSlow(stage.progress, `writing ${OBJECTS} large objects at the target`, fillTarget(stage));
  const watch = new MemoryWatch({ agent: agentPid(stage), gateway: operatorPid(stage) });
  const startedMs = Date.now();
  const response = await stage.throughGateway('alice').open({ path: BIG_PATH }, AbortSignal.timeout(BIG_TIMEOUT_MS));
  const { bytes, tail } = await drain(response);
  const seconds = (Date.now() - startedMs) / 1000;
  const { lines, growthBytes } = watch.stop();
  expect(bytes > BIG_BYTES && tail.trimEnd().endsWith(']}'), `only ${bytes} bytes came, ending in ${tail}`);
  const worst = Math.max(0, ...Object.values(growthBytes));
  expect(worst < GROWTH_LIMIT_BYTES, `a process grew by ${mebibytes(worst)}: ${lines.join('; ')}`);
  show(`GET /api/v1/namespaces/${NAMESPACE}/configmaps\n${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s`);
  for (const line of lines) show(line);
}

/** Reads 5 MB, stops reading, checks that the target still works on it, cancels, and sees the target stop. */
async function showCancel(stage: Stage, show: (text: string) => void): Promise<void> {
  const mark = `cancelled-${randomBytes(6).toString('hex')}`;
  const cancel = new AbortController();
  const client = stage.throughGateway('alice');
  const response = await client.open({ path: `${BIG_PATH}&mark=${mark}` }, cancel.signal);
  await readBytes(response, CANCEL_AFTER_BYTES);
  const isOver = () =>
    stage.audited(stage.target, mark).find(({ stage: at }) => at === 'ResponseComplete' || at === 'Panic');
  expect(isOver() === undefined, 'the target had sent everything before the client cancelled: nothing held it back');
  const startedMs = Date.now();
  response.on('error', () => {}); // our own cancel
  cancel.abort();
  response.destroy();
  const record = await until('the end of the request at the target', isOver, 10_000);
  show(`read 5 of 100 MB, then cancelled; ${Date.now() - startedMs} ms later the target's audit log has`);
  show(
    `${record.stage} for ${record.impersonatedUser?.username ?? record.user.username}: the API server stopped sending`,
  );
}

async function showRecovery(stage: Stage, show: (text: string) => void): Promise<void> {
  const before = agentPid(stage);
  const killed = new Date();
  process.kill(before, 'SIGKILL');
  show(`kill -9 ${before}`);
  const lost = async () => {
    const { stdout } = await stage.kubectl(stage.hub, ['get', 'ct', MANUAL, '-o', 'json']);
    const { lastDisconnect, conditions = [] } = (JSON.parse(stdout) as { status: TunnelStatus }).status;
    const isReady = conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True');
    const isNoted = lastDisconnect !== undefined && Date.parse(lastDisconnect.time) >= killed.getTime() - 1_000;
    return isReady && isNoted ? lastDisconnect : undefined;
  };
  const status = await until('a new session', lost, 60_000);
  const { stdout } = await stage.kubectl(stage.kubeconfigFor('alice', MANUAL), [
    '-n',
    NAMESPACE,
    'get',
    'configmap',
    'kube-root-ca.crt',
    '-o',
    'name',
  ]);
  expect(agentPid(stage) !== before, 'the killed agent is still there');
  show(
    `lost at ${status.time} (${status.reason}); Ready again ${((Date.now() - killed.getTime()) / 1000).toFixed(1)} s after the kill`,
  );
  show(`kubectl get configmap kube-root-ca.crt -o name\n${stdout}`);
}

interface TunnelStatus {
  readonly lastDisconnect?: { readonly time: string; readonly reason: string };
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

/** 100 MB of objects, written past the tunnel. Random text: nothing on the way can make it small. */
async function fillTarget(stage: Stage): Promise<void> {
  const client = stage.direct(stage.target);
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
  const numbers = Array.from({ length: OBJECTS }, (_, index) => index);
  const worker = async () => {
    for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
      const text = randomBytes((OBJECT_BYTES * 3) / 4).toString('base64');
      const metadata = { name: `big-${number}`, labels: { demo: 'big' } };
      await client.call({
        method: 'POST',
        path,
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text } },
      });
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  client.close();
}

function agentPid(stage: Stage): number {
  const [agent] = podProcesses(stage.target.dir, { namespace: 'clustertunnel-agent' });
  expect(agent !== undefined, 'no agent runs at the target');
  return agent.pid;
}

function operatorPid(stage: Stage): number {
  const [operator] = podProcesses(stage.hub.dir, { namespace: 'clustertunnel-system' });
  expect(operator !== undefined, 'no operator runs in the hub');
  return operator.pid;
}

/** Reads to the end; the number of bytes and the last of them. */
async function drain(response: IncomingMessage): Promise<{ bytes: number; tail: string }> {
  let bytes = 0;
  let tail = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    tail = chunk.subarray(-8).toString('utf8');
  }
  return { bytes, tail };
}

/** Reads at least `wanted` bytes, then pauses. */
function readBytes(response: IncomingMessage, wanted: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes < wanted) return;
      response.pause();
      resolve();
    });
    response.once('end', () => reject(new Error(`the response ended after ${bytes} bytes`)));
    response.once('error', reject);
  });
}
