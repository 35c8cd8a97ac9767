import { expect } from 'chai';
import { parseHealthReport } from '../../crds/health-report.ts';
import type { AgentLink } from '../../operator/gateway/sessions/registry.ts';
import { NO_SESSIONS, sessionFacts, settlingUntil } from '../../operator/session-facts.ts';

function link(
  instanceId: string,
  health?: { k8sHealthy: boolean; atMs: number; kubernetesVersion?: string; freeDiskBytes?: number },
): AgentLink {
  const report = { reason: 'Probed', message: 'asked', kubernetesVersion: 'v1.36.3' };
  const heard = health && { report: parseHealthReport({ ...report, ...health }), atMs: health.atMs };
  const session = { session: { vitals: { heardMs: health?.atMs ?? 0 } } } as AgentLink['session'];
  return { tunnel: 'c1', instanceId, agentVersion: '0.1.0', keyId: 'k', session, health: heard } as AgentLink;
}

describe('operator/session-facts', () => {
  it('knows nothing of a tunnel without sessions', () => {
    expect(sessionFacts(NO_SESSIONS)).to.deep.include({
      liveSessions: 0,
      gateways: 0,
      agents: [],
      upstream: undefined,
    });
  });

  it('does not take an old healthy report for more than a fresh sick one', () => {
    const links = [link('a', { k8sHealthy: true, atMs: 1_000 }), link('b', { k8sHealthy: false, atMs: 90_000 })];
    expect(sessionFacts({ ...NO_SESSIONS, links }).upstream).to.include({ healthy: false, observedAtMs: 90_000 });
  });

  it('tells that requests are refused, and why', () => {
    expect(sessionFacts({ ...NO_SESSIONS, circuit: { cause: 'why' } }).circuit).to.deep.equal({ cause: 'why' });
  });

  it('knows the agent with the least free disk of those that say, and when any was last heard', () => {
    const well = { k8sHealthy: true };
    const links = [
      link('a', { ...well, atMs: 5, freeDiskBytes: 9_000 }),
      link('older', { ...well, atMs: 7 }),
      link('b', { ...well, atMs: 6, freeDiskBytes: 0 }),
    ];
    const facts = sessionFacts({ ...NO_SESSIONS, links });
    expect([facts.freeDisk, facts.heardAtMs]).to.deep.equal([{ agent: 'b', bytes: 0 }, 7]);
    expect(sessionFacts({ ...NO_SESSIONS, links: [link('older')] }).freeDisk).to.equal(undefined);
    expect(sessionFacts(NO_SESSIONS)).to.include({ freeDisk: undefined, heardAtMs: undefined });
  });

  it('tells what went along the way', () => {
    const way = { state: 'saturated', atMs: 3, detail: '' } as const;
    expect(sessionFacts({ ...NO_SESSIONS, way }).way).to.equal(way);
  });

  it('counts sessions, and agents by process', () => {
    const facts = sessionFacts({ ...NO_SESSIONS, links: [link('a'), link('a'), link('b')] });
    expect(facts.liveSessions).to.equal(3);
    expect(facts.agents.map(({ instanceId }) => instanceId)).to.deep.equal(['a', 'b']);
  });

  it('takes the newest report, a healthy one before a sick one: any agent serves any request', () => {
    const links = [link('a', { k8sHealthy: true, atMs: 5 }), link('b', { k8sHealthy: false, atMs: 9 })];
    expect(sessionFacts({ ...NO_SESSIONS, links }).upstream).to.include({ healthy: true, observedAtMs: 5 });
    const sick = [link('a', { k8sHealthy: false, atMs: 5 }), link('b', { k8sHealthy: false, atMs: 9 })];
    expect(sessionFacts({ ...NO_SESSIONS, links: sick }).upstream).to.include({ healthy: false, observedAtMs: 9 });
  });

  it('does not know the version that an agent could not ask for', () => {
    const links = [link('a', { k8sHealthy: false, atMs: 5, kubernetesVersion: '' })];
    expect(sessionFacts({ ...NO_SESSIONS, links }).upstream?.kubernetesVersion).to.equal(undefined);
    const known = [link('a', { k8sHealthy: true, atMs: 5 })];
    expect(sessionFacts({ ...NO_SESSIONS, links: known }).upstream?.kubernetesVersion).to.equal('v1.36.3');
  });

  it('gives the agents of older tunnels time to come back to a gateway that just started', () => {
    const started = { date: new Date('2026-11-22T12:00:00Z'), ms: 1_000 };
    expect(settlingUntil('2026-11-22T11:00:00Z', started, NO_SESSIONS)).to.equal(36_000);
    expect(settlingUntil('2026-11-22T12:00:05Z', started, NO_SESSIONS)).to.equal(undefined);
    expect(settlingUntil(undefined, started, NO_SESSIONS)).to.equal(undefined);
  });

  it('knows better once it has seen a session end', () => {
    const started = { date: new Date('2026-11-22T12:00:00Z'), ms: 1_000 };
    const seen = { ...NO_SESSIONS, lastDisconnect: { time: '2026-11-22T12:00:10Z', reason: 'cut' } };
    expect(settlingUntil('2026-11-22T11:00:00Z', started, seen)).to.equal(undefined);
  });
});
