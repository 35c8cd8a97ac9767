import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Pod } from '../../hack/lab/api/pod.ts';
import { until } from '../../hack/lab/until.ts';
import { containerPids } from './stage/container-pids.ts';
import type { Session } from './stage/session.ts';
import { at, onRealNodes, PROTOCOLS, type Protocol, session, stage, TUNNEL } from './stage/stage.ts';

const NO_ANSWER_MS = 30_000;
const SHELL = ['exec', '-i', 'box', '--', 'sh', '-c', 'echo started; cat'];

interface Ending {
  readonly exitCode: number;
  readonly stderr: string;
}

onRealNodes('the agent as a pod', () => {
  it('runs as nobody: no capability, no way to more rights, system calls filtered, root file system read-only', async () => {
    const [pid = 0] = await agentPids();
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
    expect(field('Uid')).to.equal('65532');
    expect(Number.parseInt(field('CapEff'), 16) + Number.parseInt(field('CapBnd'), 16)).to.equal(0);
    expect([field('NoNewPrivs'), field('Seccomp')]).to.deep.equal(['1', '2']);
    expect(readFileSync(`/proc/${pid}/mounts`, 'utf8')).to.match(/^overlay \/ overlay ro[, ]/m);
  });

  it('is killed during an exec: kubectl ends with an error, and the next exec works', async () => {
    const { exitCode, stderr } = await losingItsAgent(SHELL, 'WebSocket', /started/);
    expect(exitCode).to.be.greaterThan(0);
    expect(stderr).to.contain('error');
    expect((await at('gateway', ['exec', 'box', '--', 'true'])).exitCode).to.equal(0);
  });

  // Over SPDY kubectl takes the end of its connection for the end of the command, whoever cuts it, and exits with 0.
  it('is killed during an exec over SPDY: kubectl ends, as it does when an API server dies', async () => {
    const lost = await losingItsAgent(SHELL, 'SPDY', /started/);
    expect(lost).to.deep.equal(await losingItsApiServer(SHELL, 'SPDY', /started/));
  });

  it('is killed during logs -f: kubectl ends with an error, never as if the log were complete', async () => {
    const { exitCode, stderr } = await losingItsAgent(['logs', '-f', 'ticker'], 'WebSocket', /tick/);
    expect(exitCode).to.be.greaterThan(0);
    expect(stderr).to.contain('error');
  });

  for (const protocol of PROTOCOLS) {
    it(`is killed during port-forward over ${protocol}: kubectl says that it lost the pod`, async () => {
      const { exitCode, stderr } = await losingItsAgent(['port-forward', 'pod/web', ':8080'], protocol, /Forwarding/);
      expect(exitCode).to.be.greaterThan(0);
      expect(stderr).to.contain('lost connection to pod');
    });
  }

  it('leaves nothing at the gateway once everybody is done', async () => {
    await until('quiet', async () => {
      const { requests, waiting, streams, queuedBytes, bufferedBytes } = await stage().counters();
      return [requests, waiting, streams, queuedBytes, bufferedBytes].every((count) => count === 0) ? true : undefined;
    });
  });
});

/** How kubectl ends whose agent is killed; returns when there is another agent and the tunnel is Ready. */
async function losingItsAgent(args: readonly string[], protocol: Protocol, started: RegExp): Promise<Ending> {
  const running = session('gateway', args, protocol);
  await running.says(started);
  const [pid = 0] = await agentPids();
  process.kill(pid, 'SIGKILL');
  const ending = await endingOf(running);
  await restartedAgent();
  return ending;
}

async function losingItsApiServer(args: readonly string[], protocol: Protocol, started: RegExp): Promise<Ending> {
  const { apiServer } = stage().target;
  const running = session('direct', args, protocol);
  await running.says(started);
  await apiServer.kill();
  const ending = await endingOf(running);
  await apiServer.start();
  return ending;
}

/** A new pod, not the old one again: that would wait longer after each death. */
async function restartedAgent(): Promise<void> {
  const { lab, target } = stage();
  const inNamespace = ['-n', 'clustertunnel-agent'];
  await lab.kubectl(target, [...inNamespace, 'delete', 'pod', '--all', '--grace-period=1', '--timeout=30s']);
  await until('an answer through the new agent', async () =>
    (await at('gateway', ['get', 'pod', 'box'])).exitCode === 0 ? true : undefined,
  );
  await stage().waitReady(TUNNEL);
}

async function endingOf(shell: Session): Promise<Ending> {
  const exitCode = await Promise.race([shell.exitCode, late('kubectl did not notice')]);
  return { exitCode, stderr: shell.stderr };
}

/** Of the agent's container, as this machine sees them. */
async function agentPids(): Promise<number[]> {
  const path = '/api/v1/namespaces/clustertunnel-agent/pods';
  const { items } = await stage().target.client.get<{ items: Pod[] }>(path);
  return items.flatMap((pod) => containerPids(pod, 'agent'));
}

function late(what: string): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${what} within ${NO_ANSWER_MS / 1000} s`)), NO_ANSWER_MS).unref();
  });
}
