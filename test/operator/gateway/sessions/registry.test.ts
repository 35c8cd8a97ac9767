import { expect } from 'chai';
import { parseHealthReport } from '../../../../crds/health-report.ts';
import { type AgentLink, Registry } from '../../../../operator/gateway/sessions/registry.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const link = (tunnel: string, instanceId: string) =>
  ({ tunnel, instanceId, agentVersion: '', keyId: '', health: undefined }) as unknown as AgentLink;
const END = { code: ErrorCode.Silent, reason: 'no byte for 30 s' };

describe('operator/gateway/sessions/registry', () => {
  let clock: ManualClock;
  let changes: string[];
  let registry: Registry;
  beforeEach(() => {
    clock = new ManualClock();
    changes = [];
    registry = new Registry(clock, (tunnel) => changes.push(tunnel));
  });

  it('knows nothing of a tunnel that never connected', () => {
    expect(registry.facts('c1')).to.deep.equal({ links: [], lastDisconnect: undefined, awaySinceMs: undefined });
  });

  it('keeps sessions by tunnel, oldest first, and tells of each', () => {
    const [a, b, c] = [link('c1', 'a'), link('c1', 'b'), link('c2', 'c')];
    for (const each of [a, b, c]) registry.add(each);
    expect(registry.facts('c1').links).to.deep.equal([a, b]);
    expect(registry.all()).to.deep.equal([a, b, c]);
    expect(changes).to.deep.equal(['c1', 'c1', 'c2']);
  });

  it('is away only when the last session left, and no longer when one comes', () => {
    const [a, b] = [link('c1', 'a'), link('c1', 'b')];
    registry.add(a);
    registry.add(b);
    registry.remove(a, END);
    expect(registry.facts('c1')).to.deep.include({ awaySinceMs: undefined });
    expect(registry.facts('c1').lastDisconnect?.reason).to.equal('no byte for 30 s');
    clock.advance(5);
    registry.remove(b, END);
    expect(registry.facts('c1').awaySinceMs).to.equal(clock.nowMs());
    registry.add(a);
    expect(registry.facts('c1').awaySinceMs).to.equal(undefined);
    expect(registry.facts('c1').lastDisconnect?.time).to.match(/^2026-01-01T/);
  });

  it('takes a replaced session out in the same step, which is no disconnect', () => {
    const [a, b, older, newer] = [link('c1', 'a'), link('c1', 'b'), link('c1', 'x'), link('c1', 'x')];
    for (const each of [older, a, b]) registry.add(each);
    registry.heard(older, parseHealthReport({ k8sHealthy: true }));
    changes.length = 0;
    registry.add(newer, [older]);
    expect(registry.facts('c1')).to.deep.equal({
      links: [a, b, newer],
      lastDisconnect: undefined,
      awaySinceMs: undefined,
    });
    expect(newer.health?.report.k8sHealthy, 'the same process said so').to.equal(true);
    registry.remove(older, END);
    expect(changes, 'its end is no news').to.deep.equal(['c1']);
  });

  it('removes by identity, once', () => {
    const [a, namesake] = [link('c1', 'a'), link('c1', 'a')];
    registry.add(a);
    registry.remove(namesake, END);
    expect(registry.facts('c1').links).to.deep.equal([a]);
    registry.remove(a, END);
    registry.remove(a, END);
    expect(changes).to.deep.equal(['c1', 'c1']);
  });

  it('notes what an agent says, and when', () => {
    const a = link('c1', 'a');
    registry.add(a);
    registry.heard(a, parseHealthReport({ k8sHealthy: true }));
    expect(a.health?.atMs).to.equal(clock.nowMs());
    expect(changes).to.deep.equal(['c1', 'c1']);
  });

  it('is quiet about a report that says the same, unless it was long not heard', () => {
    const a = link('c1', 'a');
    registry.add(a);
    for (const latencyMs of [3, 4, 5]) registry.heard(a, parseHealthReport({ k8sHealthy: true, latencyMs }));
    expect(changes).to.deep.equal(['c1', 'c1']);
    registry.heard(a, parseHealthReport({ k8sHealthy: false }));
    expect(changes).to.have.length(3);
    clock.advance(60_000);
    registry.heard(a, parseHealthReport({ k8sHealthy: false }));
    expect(changes).to.have.length(4);
  });

  it('forgets a tunnel only when its sessions are gone', () => {
    const a = link('c1', 'a');
    registry.add(a);
    registry.forget('c1');
    expect(registry.facts('c1').links).to.have.length(1);
    registry.remove(a, END);
    registry.forget('c1');
    expect(registry.facts('c1').lastDisconnect).to.equal(undefined);
    registry.forget('nobody');
  });
});
