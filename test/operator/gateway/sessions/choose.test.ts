import { expect } from 'chai';
import { choose } from '../../../../operator/gateway/sessions/choose.ts';
import type { AgentLink } from '../../../../operator/gateway/sessions/registry.ts';
import type { SlotPool } from '../../../../tunnel/session/gateway-session.ts';

/** A link of which only the session's slots matter. */
function link(instanceId: string, slots: Partial<Record<SlotPool, number>>, isOpen = true): AgentLink {
  const freeSlots = (pool: SlotPool) => slots[pool] ?? 0;
  const session = { freeSlots, hasRoom: (pool: SlotPool) => isOpen && freeSlots(pool) > 0 };
  return { tunnel: 'c1', session, instanceId, agentVersion: '', keyId: '', health: undefined } as unknown as AgentLink;
}

describe('operator/gateway/sessions/choose', () => {
  it('takes the session with most free slots', () => {
    expect(
      choose([link('a', { ordinary: 1 }), link('b', { ordinary: 3 }), link('c', { ordinary: 2 })], 'ordinary')
        ?.instanceId,
    ).to.equal('b');
  });

  it('takes the oldest of equals', () => {
    expect(choose([link('a', { ordinary: 2 }), link('b', { ordinary: 2 })], 'ordinary')?.instanceId).to.equal('a');
  });

  it('counts each pool for itself', () => {
    const links = [link('a', { ordinary: 9 }), link('b', { longRunning: 1 })];
    expect(choose(links, 'longRunning')?.instanceId).to.equal('b');
  });

  it('takes none that has no room, whatever its slots', () => {
    expect(choose([link('a', { ordinary: 9 }, false), link('b', {})], 'ordinary')).to.equal(undefined);
    expect(choose([], 'ordinary')).to.equal(undefined);
  });
});
