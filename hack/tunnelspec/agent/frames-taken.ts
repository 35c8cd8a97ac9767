import { Flag, FrameType } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual } from '../expect.ts';
import { bytesOf, goaway, ping, raw } from '../gateway/words.ts';
import { freeSlots } from './lab.ts';
import { fieldsOf, objectOf, openOf, reasonOf } from './payloads.ts';
import { configFrame, USUAL_WORKERS } from './settings.ts';

const KIB = 1024;

const taken: readonly AgentCase[] = [
  {
    rule: '2.2',
    title: 'takes payloads as long as their types allow',
    run: async (lab) => {
      const { peer } = await lab.session();
      const open = lab.open(peer, { method: 'POST' }, false);
      peer.send(open);
      peer.sendBytes(raw(FrameType.Open, Flag.End, open.streamId + 1, openOf(80 * KIB)));
      peer.sendBytes(raw(FrameType.Trailers, 0, open.streamId, fieldsOf(80 * KIB)));
      peer.sendBytes(raw(FrameType.Reset, 0, open.streamId, reasonOf(4 * KIB)));
      peer.sendBytes(raw(FrameType.Config, 0, 0, objectOf(4 * KIB)));
      await peer.expectAlive();
    },
  },
  {
    rule: '2.3',
    title: 'skips frames of unknown types with bit 0x80, and takes what stands between them',
    run: async (lab) => {
      const { peer } = await lab.session();
      const strange = [
        raw(0x80, 0, 0),
        raw(0xff, 0xff, 2 ** 32 - 1, Buffer.alloc(60 * KIB)),
        raw(0x8e, 1, 7, '{'),
      ] as const;
      const [first, second, third] = strange;
      peer.sendBytes(Buffer.concat([first, bytesOf(ping(11)), second, bytesOf(ping(12)), third, bytesOf(ping(13))]));
      for (const asked of [11, 12, 13]) await peer.next(FrameType.Pong, ({ token }) => token === asked);
      await peer.expectAlive();
    },
  },
  {
    rule: '2.9',
    title: 'ignores unknown members of WELCOME, CONFIG and GOAWAY',
    run: async (lab) => {
      const { peer, hello } = await lab.session({ moon: 'full', versions: [] });
      const { ordinary } = freeSlots(hello);
      const { document } = configFrame({ limits: { maxConcurrentRequests: ordinary + 3 } });
      peer.send({ type: FrameType.Config, document: { ...document, moon: { phase: 1 }, limit: null } });
      const { slots } = await peer.next(FrameType.Slots);
      expectEqual('the slots that its limits add', slots.ordinary, 3);
      const open = lab.open(peer, { method: 'POST' }, false);
      peer.send(open, goaway(open.streamId, { moon: 'new' }));
      await peer.expectAlive();
    },
  },
];

/** Ends the session. */
const LAST_FRAMES = {
  'a frame that breaks a rule': raw(0x0f, 0, 0),
  'the GOAWAY that ended the session': bytesOf(goaway(0)),
};

/** Behind it: a PING, and limits that would show in the next HELLO. */
const ignored: readonly AgentCase[] = Object.entries(LAST_FRAMES).flatMap(([what, last]) =>
  ['in its message', 'in the next message'].map(
    (where): AgentCase => ({
      rule: '2.12',
      title: `ignores what follows ${what}, ${where}`,
      run: async (lab) => {
        const { peer } = await lab.session();
        const rest = bytesOf(ping(41), configFrame({ limits: { maxConcurrentRequests: 2 * USUAL_WORKERS } }));
        const messages = where === 'in its message' ? [Buffer.concat([last, rest])] : [last, rest];
        for (const message of messages) peer.sendBytes(message);
        await peer.ended();
        const pongs = peer.all(FrameType.Pong).filter(({ token }) => token === 41);
        expectEqual('the answers to the late PING', pongs.length, 0);
        const next = await lab.connection();
        expectEqual('the slots', freeSlots(await next.next(FrameType.Hello)).ordinary, USUAL_WORKERS);
      },
    }),
  ),
);

/** §2: what is taken, skipped and ignored. */
export const takenFrameCases: readonly AgentCase[] = [...taken, ...ignored];
