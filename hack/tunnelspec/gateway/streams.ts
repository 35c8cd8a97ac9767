import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectStatus, expectThat } from '../expect.ts';
import type { RawPeer } from '../peer.ts';
import { takeBody } from './bodies.ts';
import { breaches } from './breach.ts';
import { switching, UPGRADE } from './upgrades.ts';
import { bytesOf, credit, data, emptyAnswer, end, head, refused, reset, slots, trailers } from './words.ts';

const WATCH = '/api/v1/namespaces?watch=true';

/** One of each that an agent may say of a stream. */
const ABOUT_A_STREAM: Readonly<Record<string, (streamId: number) => Frame>> = {
  HEAD: (id) => head(id),
  DATA: (id) => data(id, 'body'),
  TRAILERS: (id) => trailers(id),
  WINDOW: (id) => credit(id, 16 * 1024),
  RESET: (id) => reset(id, ErrorCode.Cancel),
  REFUSED: (id) => refused(id, ErrorCode.Overload),
};

/** §4: ids, slots and halves. */
export const streamCases: readonly GatewayCase[] = [
  {
    rule: '4.1',
    title: 'opens streams with ids that strictly increase',
    run: async (lab) => {
      const peer = await lab.agent();
      for (let round = 0; round < 3; round++) {
        const calls = Array.from({ length: 8 }, () => lab.call());
        const opens = [];
        for (const _ of calls) opens.push(await peer.next(FrameType.Open));
        for (const { streamId } of opens.reverse()) peer.send(emptyAnswer(streamId));
        for (const call of calls) expectStatus(await call.answer(), 200);
      }
      const ids = peer.all(FrameType.Open).map(({ streamId }) => streamId);
      const isRising = ids.every((id, at) => id > (ids[at - 1] ?? 0));
      expectThat('ids that begin above 0 and strictly increase', isRising, ids);
    },
  },
  {
    rule: '4.3',
    title: 'opens no more ordinary streams than there are slots, nor into slots of the other pool',
    run: async (lab) => {
      const peer = await lab.agent({ slots: { ordinary: 2, longRunning: 1 } });
      for (let count = 0; count < 4; count++) lab.call();
      await openOrdinary(peer, 2);
      await lab.opened(peer, { path: WATCH });
      expectOrdinary(peer, 2);
      peer.send(slots(0, 1));
      await lab.opened(peer, { path: WATCH });
      expectOrdinary(peer, 2);
      peer.send(slots(1));
      await openOrdinary(peer, 1);
      await peer.expectAlive();
      expectOrdinary(peer, 3);
    },
  },
  {
    rule: '4.3',
    title: 'opens no more long-running streams than there are slots',
    run: async (lab) => {
      const peer = await lab.agent({ slots: { ordinary: 1, longRunning: 1 } });
      for (let count = 0; count < 3; count++) lab.call({ path: WATCH });
      await peer.next(FrameType.Open);
      await lab.opened(peer);
      peer.send(slots(1, 0));
      await lab.opened(peer);
      await peer.expectAlive();
      const opened = peer.all(FrameType.Open).filter((open) => open.head.isLongRunning);
      expectEqual('the number of long-running streams', opened.length, 1);
    },
  },
  ...breaches(
    '4.5',
    ErrorCode.Protocol,
    Object.fromEntries(
      Object.entries(ABOUT_A_STREAM).map(([name, about]) => [
        `${name} of a stream that never was opened`,
        (streamId) => bytesOf(about(streamId + 1)),
      ]),
    ),
  ),
  {
    rule: '4.6',
    title: 'drops frames of a stream that ended',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      peer.send(emptyAnswer(open.streamId));
      expectStatus(await call.answer(), 200);
      await expectDropped(peer, open.streamId);
    },
  },
  {
    rule: '4.6',
    title: 'drops frames of a stream that it has reset',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      call.destroy();
      await peer.next(FrameType.Reset);
      await expectDropped(peer, open.streamId);
    },
  },
  ...afterTheEnd({
    DATA: (id) => data(id, 'more'),
    'another END': end,
    TRAILERS: (id) => trailers(id),
    HEAD: (id) => head(id),
  }),
  {
    rule: '4.10',
    title: 'hands on a whole answer while the body of the request still flows',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, { method: 'POST', hasBody: true });
      call.write('half');
      await peer.next(FrameType.Data);
      peer.send(head(open.streamId), data(open.streamId, 'whole', { isEnd: true }));
      const { status, body, isWhole } = await call.answer();
      expectStatus({ status }, 200);
      expectEqual('the body', body.toString('latin1'), 'whole');
      expectThat('a body that ended cleanly', isWhole);
      await peer.expectAlive();
    },
  },
  {
    rule: '4.10',
    title: 'hands on a whole body while the answer flows',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, { method: 'POST', hasBody: true });
      peer.send(head(open.streamId), data(open.streamId, 'first '));
      const response = await call.response();
      call.write('a body');
      call.end();
      expectEqual('the body', (await takeBody(peer, open.streamId)).toString('latin1'), 'a body');
      peer.send(data(open.streamId, 'second', { isEnd: true }));
      let text = '';
      for await (const chunk of response) text += String(chunk);
      expectEqual('the answer', text, 'first second');
    },
  },
  {
    rule: '4.10',
    title: 'hands on what the client says after the target has said everything',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPGRADE);
      peer.send(switching(open.streamId), end(open.streamId));
      const { socket } = await call.upgraded();
      socket.allowHalfOpen = true;
      socket.resume();
      socket.write('last words');
      await peer.until('the last words', () =>
        peer.body(open.streamId).toString('latin1') === 'last words' ? true : undefined,
      );
    },
  },
];

/** One of each, of a stream that is gone. */
async function expectDropped(peer: RawPeer, streamId: number): Promise<void> {
  for (const about of Object.values(ABOUT_A_STREAM)) peer.send(about(streamId));
  await peer.expectAlive();
}

/** What follows an end in the same message, while the client's half is open. */
function afterTheEnd(wrongs: Readonly<Record<string, (streamId: number) => Frame>>): GatewayCase[] {
  return Object.entries(wrongs).map(([what, wrong]) => ({
    rule: '4.7',
    title: `ends the session with PROTOCOL over ${what} after the end`,
    run: async (lab) => {
      const peer = await lab.agent();
      const { open } = await lab.opened(peer, UPGRADE);
      peer.send(switching(open.streamId), data(open.streamId, 'all', { isEnd: true }), wrong(open.streamId));
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  }));
}

async function openOrdinary(peer: RawPeer, count: number): Promise<void> {
  for (let opened = 0; opened < count; opened++) {
    await peer.next(FrameType.Open, ({ head }) => !head.isLongRunning);
  }
}

function expectOrdinary(peer: RawPeer, count: number): void {
  const opened = peer.all(FrameType.Open).filter((open) => !open.head.isLongRunning);
  expectEqual('the number of ordinary streams', opened.length, count);
}
