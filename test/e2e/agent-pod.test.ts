import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Pod } from '../../hack/lab/api/pod.ts';
import { until } from '../../hack/lab/until.ts';
import { containerPids } from './stage/container-pids.ts';
import { at, onRealNodes, PROTOCOLS, session, stage, TUNNEL } from './stage/stage.ts';

const NO_ANSWER_MS = 30_000;

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

  for (const protocol of PROTOCOLS) {
    it(`is killed during an exec over ${protocol}: kubectl ends with an error, and the next exec works`, async () => {
      const shell = session('gateway', ['exec', '-i', 'box', '--', 'sh', '-c', 'echo started; cat'], protocol);
      await shell.says(/started/);
      const [pid = 0] = await agentPids();
      process.kill(pid, 'SIGKILL');
      const exitCode = await Promise.race([shell.exitCode, late('kubectl did not notice')]);
      expect(exitCode).to.be.greaterThan(0).and.not.equal(128);
      expect(shell.stderr).not.to.equal('');
      await until('another agent', async () => ((await agentPids()).some((now) => now !== pid) ? true : undefined));
      await stage().waitReady(TUNNEL);
      await until('an exec', async () => {
        const { exitCode: next } = await at('gateway', ['exec', 'box', '--', 'true']);
        return next === 0 ? true : undefined;
      });
    });
  }

  it('leaves nothing at the gateway once everybody is done', async () => {
    await until('quiet', async () => {
      const { requests, waiting, streams, queuedBytes, bufferedBytes } = await stage().counters();
      return [requests, waiting, streams, queuedBytes, bufferedBytes].every((count) => count === 0) ? true : undefined;
    });
  });
});

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
