import { expect } from 'chai';
import { parseHealthReport } from '../../../../crds/health-report.ts';
import { choose } from '../../../../operator/gateway/sessions/choose.ts';
import type { AgentLink } from '../../../../operator/gateway/sessions/registry.ts';
import type { SlotPool } from '../../../../tunnel/session/gateway-session.ts';

const NOW_MS = 1_000_000;

/** The same link, whose agent said this so long ago. */
function saying(of: AgentLink, k8sHealthy: boolean, agoMs = 0): AgentLink {
  return { ...of, health: { report: parseHealthReport({ k8sHealthy }), atMs: NOW_MS - agoMs } };
}

/** A link of which only the session's slots matter. */
function link(instanceId: string, slots: Partial<Record<SlotPool, number>>, isOpen = true): AgentLink {
  const freeSlots = (pool: SlotPool) => slots[pool] ?? 0;
  const session = { isOpen, freeSlots, hasRoom: (pool: SlotPool) => isOpen && freeSlots(pool) > 0 };
  return { tunnel: 'c1', session, instanceId, agentVersion: '', keyId: '', health: undefined } as unknown as AgentLink;
}

describe('operator/gateway/sessions/choose', () => {
  it('takes the session with most free slots', () => {
    expect(
      choose([link('a', { ordinary: 1 }), link('b', { ordinary: 3 }), link('c', { ordinary: 2 })], 'ordinary', NOW_MS)
        ?.instanceId,
    ).to.equal('b');
  });

  it('takes the oldest of equals', () => {
    expect(choose([link('a', { ordinary: 2 }), link('b', { ordinary: 2 })], 'ordinary', NOW_MS)?.instanceId).to.equal(
      'a',
    );
  });

  it('counts each pool for itself', () => {
    const links = [link('a', { ordinary: 9 }), link('b', { longRunning: 1 })];
    expect(choose(links, 'longRunning', NOW_MS)?.instanceId).to.equal('b');
  });

  it('takes none that has no room, whatever its slots', () => {
    expect(choose([link('a', { ordinary: 9 }, false), link('b', {})], 'ordinary', NOW_MS)).to.equal(undefined);
    expect(choose([], 'ordinary', NOW_MS)).to.equal(undefined);
  });

  describe('beside an agent that does not reach its API server', () => {
    const sick = saying(link('sick', { ordinary: 64 }), false);

    for (const [what, other] of [
      ['does', saying(link('other', { ordinary: 1 }), true)],
      ['has not said', link('other', { ordinary: 1 })],
      ['did not long ago', saying(link('other', { ordinary: 1 }), false, 600_000)],
    ] as const) {
      it(`takes one that ${what}, though it has fewer slots`, () => {
        expect(choose([sick, other], 'ordinary', NOW_MS)?.instanceId).to.equal('other');
      });
    }

    it('takes none while the other one is full: there requests are refused at once', () => {
      expect(choose([sick, saying(link('full', {}), true)], 'ordinary', NOW_MS)).to.equal(undefined);
    });

    it('takes it when the other one leaves', () => {
      const leaving = saying(link('leaving', { ordinary: 1 }, false), true);
      expect(choose([sick, leaving], 'ordinary', NOW_MS)?.instanceId).to.equal('sick');
    });

    it('takes the one with most free slots of nothing but such', () => {
      const links = [saying(link('a', { ordinary: 1 }), false), sick];
      expect(choose(links, 'ordinary', NOW_MS)?.instanceId).to.equal('sick');
    });
  });
});
