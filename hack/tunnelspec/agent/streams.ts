import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { AgentCase } from '../case.ts';
import { expectThat } from '../expect.ts';
import { bytesOf, credit, data, end, reset, trailers } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import { received } from './bodies.ts';
import { breaches } from './breach.ts';
import type { AgentLab } from './lab.ts';
import { isSlotMissing, slotIsBack } from './slots.ts';

const KIB = 1024;
/** Refused at once, whatever stands behind the agent. */
const NOBODY = { identity: undefined };

const ids: readonly AgentCase[] = [
  ['the same id again', 5],
  ['a smaller id', 3],
].map(([what, second]) => ({
  rule: '4.2',
  title: `ends the session with PROTOCOL over an OPEN with ${what}`,
  run: async (lab) => {
    const { peer } = await lab.session();
    const open = lab.open(peer, NOBODY);
    peer.send({ ...open, streamId: 5 });
    peer.send({ ...open, streamId: Number(second) });
    await peer.expectEndAtOnce(ErrorCode.Protocol);
  },
}));

const NAMES = { ordinary: 'an ordinary', longRunning: 'a long-running' };

const slots: readonly AgentCase[] = [
  ...(['ordinary', 'longRunning'] as const).map(
    (pool): AgentCase => ({
      rule: '4.4',
      title: `announces the slot of ${NAMES[pool]} request again when it is answered, and not before`,
      run: async (lab) => {
        const session = await lab.session();
        const { peer } = session;
        const { id, asked } = await lab.request(peer, { isLongRunning: pool === 'longRunning' });
        await peer.expectAlive();
        expectThat('no slot while the request runs', isSlotMissing(session, pool));
        asked.response.end('{}');
        await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
        await slotIsBack(session, pool);
      },
    }),
  ),
  {
    rule: '4.4',
    title: 'announces the slot of a refused request again',
    run: async (lab) => {
      const session = await lab.session();
      const { peer } = session;
      peer.send(lab.open(peer, NOBODY));
      await slotIsBack(session);
    },
  },
  {
    rule: '4.4',
    title: 'announces the slot again when the upstream breaks the answer off',
    run: async (lab) => {
      const session = await lab.session();
      const { peer } = session;
      const { asked } = await lab.request(peer);
      asked.response.destroy();
      await slotIsBack(session);
    },
  },
];

const unopened = breaches('4.5', ErrorCode.Protocol, {
  'DATA for a stream that never was opened': (id) => bytesOf(data(id + 1, 'body')),
  'TRAILERS for a stream that never was opened': (id) => bytesOf(trailers(id + 1)),
  'RESET for a stream that never was opened': (id) => bytesOf(reset(id + 1, ErrorCode.Cancel)),
  'WINDOW for a stream that never was opened': (id) => bytesOf(credit(id + 1, 16 * KIB)),
});

/** How a stream can be gone. */
const ENDS: Readonly<Record<string, (lab: AgentLab, peer: RawPeer) => Promise<number>>> = {
  'was refused': async (lab, peer) => {
    const open = lab.open(peer, NOBODY, false);
    peer.send(open);
    await peer.next(FrameType.Refused);
    return open.streamId;
  },
  'we reset': async (lab, peer) => {
    const { id } = await lab.post(peer);
    peer.send(reset(id, ErrorCode.Cancel));
    return id;
  },
  'is complete': async (lab, peer) => {
    const { id, asked } = await lab.post(peer);
    peer.send(end(id));
    await received(asked);
    asked.response.end('{}');
    await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
    return id;
  },
};

const gone: readonly AgentCase[] = Object.entries(ENDS).map(([what, finish]) => ({
  rule: '4.6',
  title: `drops frames for a stream that ${what}`,
  run: async (lab) => {
    const { peer } = await lab.session();
    const id = await finish(lab, peer);
    const late = [data(id, 'body'), credit(id, 16 * KIB), end(id), trailers(id), reset(id, ErrorCode.Cancel)];
    for (const frame of late) peer.send(frame);
    await peer.expectAlive();
  },
}));

/** The half ends, then this comes. */
const AFTER_THE_END: Readonly<Record<string, (id: number) => readonly [Frame, Frame]>> = {
  'DATA after END': (id) => [end(id), data(id, 'more')],
  'END after END': (id) => [end(id), end(id)],
  'TRAILERS after END': (id) => [end(id), trailers(id)],
  'DATA after TRAILERS': (id) => [trailers(id), data(id, 'more')],
  'TRAILERS after TRAILERS': (id) => [trailers(id), trailers(id)],
};

const ended: readonly AgentCase[] = [
  ...Object.entries(AFTER_THE_END).map(
    ([what, frames]): AgentCase => ({
      rule: '4.7',
      title: `ends the session with PROTOCOL over ${what}`,
      run: async (lab) => {
        const { peer } = await lab.session();
        const { id } = await lab.post(peer);
        for (const frame of frames(id)) peer.send(frame);
        await peer.expectEndAtOnce(ErrorCode.Protocol);
      },
    }),
  ),
  {
    rule: '4.7',
    title: 'ends the session with PROTOCOL over DATA after OPEN with END',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id } = await lab.request(peer);
      peer.send(data(id, 'more'));
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  },
];

/** §4: how streams begin and end. */
export const streamCases: readonly AgentCase[] = [...ids, ...slots, ...unopened, ...gone, ...ended];
