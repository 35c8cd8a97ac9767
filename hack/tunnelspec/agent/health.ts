import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Document } from '../../../tunnel/wire/documents.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual } from '../expect.ts';
import type { RawPeer } from '../peer.ts';
import { freeSlots } from './lab.ts';
import { configFrame, type SettingsChange } from './settings.ts';

/** An agent says at least so often how it is, however seldom it looks; of its time. */
const REPORT_MS = 60_000;
const PROBE_MS = 45_000;
/** Of our own time: how late either process may be. */
const SLACK_MS = 1_000;
const TUNNEL = { tunnelUid: 'tunnelspec-generations' };

/** How many slots a CONFIG with so many workers adds. */
async function added(peer: RawPeer, change: SettingsChange): Promise<number> {
  peer.send(configFrame(change));
  const { slots } = await peer.next(FrameType.Slots);
  return slots.ordinary;
}

const generations: readonly AgentCase[] = [
  {
    rule: '8.2',
    title: 'ignores a CONFIG of an older generation, not one of another tunnel',
    run: async (lab) => {
      const { peer, hello } = await lab.session();
      const { ordinary } = freeSlots(hello);
      const workers = (count: number) => ({ limits: { maxConcurrentRequests: ordinary + count } });
      expectEqual('slots of generation 5', await added(peer, { ...TUNNEL, generation: 5, ...workers(1) }), 1);
      peer.send(configFrame({ ...TUNNEL, generation: 4, ...workers(100) }));
      await peer.expectAlive();
      expectEqual('more slots of generation 6', await added(peer, { ...TUNNEL, generation: 6, ...workers(3) }), 2);
      expectEqual('more slots of another tunnel', await added(peer, { generation: 1, ...workers(7) }), 4);
    },
  },
];

/** What no agent can read: each asks for many workers, so that it shows when it is taken. */
function unreadable(workers: number): Readonly<Record<string, Document>> {
  const { document } = configFrame({ ...TUNNEL, generation: 9, limits: { maxConcurrentRequests: workers } });
  const limits = document['limits'] as Document;
  return {
    'without a generation': { ...document, generation: undefined },
    'without timeouts': { ...document, timeouts: undefined },
    'with a text for a number': { ...document, limits: { ...limits, maxBufferBytes: '32Mi' } },
    'with a limit below 0': { ...document, limits: { ...limits, maxStreamBufferBytes: -1 } },
  };
}

const ignored: readonly AgentCase[] = Object.keys(unreadable(0)).map((what) => ({
  rule: '8.3',
  title: `ignores a CONFIG ${what}`,
  run: async (lab) => {
    const { peer, hello } = await lab.session();
    const { ordinary } = freeSlots(hello);
    expectEqual(
      'slots of what can be read',
      await added(peer, { ...TUNNEL, generation: 1, limits: { maxConcurrentRequests: ordinary + 2 } }),
      2,
    );
    peer.send({ type: FrameType.Config, document: unreadable(ordinary + 100)[what] ?? {} });
    await peer.expectAlive();
    const next = { ...TUNNEL, generation: 2, limits: { maxConcurrentRequests: ordinary + 5 } };
    expectEqual('more slots of the next one', await added(peer, next), 3);
  },
}));

const reports: readonly AgentCase[] = [
  {
    rule: '8.4',
    title: 'sends HEALTH after the greeting of each session',
    run: async (lab) => {
      for (let session = 0; session < 2; session++) {
        const { peer } = await lab.session();
        await peer.next(FrameType.Health, undefined, lab.ms(10_000) + 1_000);
        peer.drop();
      }
    },
  },
  {
    rule: '8.4',
    title: 'sends HEALTH when its upstream falls ill, and when it is well again',
    run: async (lab) => {
      const { upstream } = lab;
      const { peer } = await lab.session();
      await lab.configure(peer, { health: { intervalMs: 500 } });
      await peer.next(FrameType.Health, ({ document }) => document['k8sHealthy'] === true);
      upstream.readiness = 500;
      await peer.next(FrameType.Health, ({ document }) => document['k8sHealthy'] === false);
      upstream.readiness = 200;
      await peer.next(FrameType.Health, ({ document }) => document['k8sHealthy'] === true);
    },
  },
  {
    rule: '8.4',
    title: 'sends HEALTH at least each 60 s while nothing changes',
    isSlow: true,
    run: async (lab) => {
      const { peer } = await lab.session();
      // Its own findings come in another rhythm.
      await lab.configure(peer, { health: { intervalMs: PROBE_MS } });
      await peer.next(FrameType.Health);
      await peer.next(FrameType.Health, undefined, lab.ms(REPORT_MS) + SLACK_MS);
    },
  },
];

/** §8. */
export const healthCases: readonly AgentCase[] = [...generations, ...ignored, ...reports];
