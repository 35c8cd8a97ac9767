import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { AgentCase } from '../case.ts';
import { credit, data, goaway, ping, pong, raw } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import type { AgentLab } from './lab.ts';

/** Frames of a message: its bytes stay below the bound of messages. */
const PER_MESSAGE = 500;

/** One kind of frame with a budget. */
interface Kind {
  readonly rule: string;
  readonly what: string;
  /** That many at once are all right. */
  readonly allowed: number;
  /** So many at once are not, however late they come in. */
  readonly beyond: number;
  readonly frame: (streamId: number) => Frame;
}

const KINDS: readonly Kind[] = [
  { rule: '10.1', what: 'PING', allowed: 17, beyond: 40, frame: () => ping(1) },
  { rule: '10.2', what: 'PONG', allowed: 17, beyond: 40, frame: () => pong(1) },
  { rule: '10.3', what: 'WINDOW of less than 4,096 bytes', allowed: 95, beyond: 200, frame: (id) => credit(id, 4_095) },
  { rule: '10.4', what: 'DATA without bytes and without END', allowed: 95, beyond: 200, frame: (id) => data(id, '') },
  {
    rule: '10.9',
    what: 'CONFIG',
    allowed: 95,
    beyond: 200,
    frame: () => ({ type: FrameType.Config, document: { generation: 0 } }),
  },
  { rule: '10.10', what: 'GOAWAY', allowed: 8, beyond: 25, frame: (id) => goaway(id) },
];

/** A session with an open stream. */
async function open(lab: AgentLab): Promise<{ peer: RawPeer; id: number }> {
  const { peer } = await lab.session();
  const opened = lab.open(peer, { method: 'POST' }, false);
  peer.send(opened);
  return { peer, id: opened.streamId };
}

const budgets: readonly AgentCase[] = KINDS.flatMap(({ rule, what, allowed, beyond, frame }) => [
  {
    rule,
    title: `takes ${allowed} ${what} at once`,
    run: async (lab) => {
      const { peer, id } = await open(lab);
      peer.send(...Array.from({ length: allowed }, () => frame(id)));
      await peer.expectAlive();
    },
  },
  {
    rule,
    title: `ends the session with ABUSE over ${beyond} ${what} at once`,
    run: async (lab) => {
      const { peer, id } = await open(lab);
      peer.send(...Array.from({ length: beyond }, () => frame(id)));
      await peer.expectEndAtOnce(ErrorCode.Abuse);
    },
  },
]);

const skipped: readonly AgentCase[] = [
  {
    rule: '10.7',
    title: 'skips 900 frames of unknown types at once',
    run: async (lab) => {
      const { peer } = await open(lab);
      peer.sendBytes(Buffer.concat(Array.from({ length: 900 }, () => raw(0x80, 0, 0))));
      await peer.expectAlive();
    },
  },
  {
    rule: '10.7',
    title: 'ends the session with ABUSE over 2000 frames of unknown types at once',
    run: async (lab) => {
      const { peer } = await open(lab);
      peer.sendBytes(Buffer.concat(Array.from({ length: 2_000 }, () => raw(0x80, 0, 0))));
      await peer.expectEndAtOnce(ErrorCode.Abuse);
    },
  },
];

const refilled: readonly AgentCase[] = [
  {
    rule: '10.1',
    title: 'takes PINGs again as time passes',
    isSlow: true,
    run: async (lab) => {
      const { peer } = await lab.session();
      await peer.next(FrameType.Ping);
      peer.send(...Array.from({ length: 17 }, () => ping(1)));
      await peer.expectAlive();
      // The agent's own PING: 8 s at least.
      await peer.next(FrameType.Ping, undefined, lab.ms(12_000) + 1_000);
      peer.send(...Array.from({ length: 7 }, () => ping(1)));
      await peer.expectAlive();
    },
  },
];

const large: readonly AgentCase[] = [
  {
    rule: '10.3',
    title: 'takes 200 WINDOWs of 4,096 bytes at once',
    run: async (lab) => {
      const { peer, id } = await open(lab);
      peer.send(...Array.from({ length: 200 }, () => credit(id, 4_096)));
      await peer.expectAlive();
    },
  },
];

const refusals: readonly AgentCase[] = [
  {
    rule: '10.6',
    title: 'refuses 4500 OPENs without room, and ends the session with ABUSE over as many again',
    run: async (lab) => {
      const { peer } = await lab.session();
      await lab.configure(peer, { limits: { maxBufferBytes: 0 } });
      const flood = () => {
        for (let message = 0; message < 9; message++)
          peer.send(...Array.from({ length: PER_MESSAGE }, () => lab.open(peer)));
      };
      flood();
      await peer.expectAlive();
      flood();
      await peer.expectEndAtOnce(ErrorCode.Abuse);
    },
  },
];

/** §10. */
export const abuseCases: readonly AgentCase[] = [...budgets, ...refilled, ...large, ...refusals, ...skipped];
