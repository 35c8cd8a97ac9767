import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectStatus, expectThat } from '../expect.ts';
import { hasEnded } from './bodies.ts';
import { breaches } from './breach.ts';
import type { Call } from './client.ts';
import type { GatewayLab } from './lab.ts';
import { serve } from './serve.ts';
import { switching, UPGRADE } from './upgrades.ts';
import { bytesOf, credit, data, emptyAnswer, goaway, head, raw, refused, reset } from './words.ts';

const POST = { method: 'POST' } as const;
const UPLOAD = { method: 'POST', hasBody: true } as const;

/** §7. */
export const leavingCases: readonly GatewayCase[] = [
  {
    rule: '7.1',
    title: 'resets the stream with CANCEL when the client goes away before the head',
    run: (lab) => expectCancel(lab, async () => {}),
  },
  {
    rule: '7.1',
    title: 'resets the stream with CANCEL when the client goes away in the middle of the answer',
    run: (lab) =>
      expectCancel(lab, async (call, say) => {
        say();
        await call.response();
      }),
  },
  {
    rule: '7.1',
    title: 'resets the stream with CANCEL when the client goes away in the middle of its body',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPLOAD);
      call.write('half a body');
      await peer.next(FrameType.Data);
      call.destroy();
      const { streamId, code } = await peer.next(FrameType.Reset);
      expectEqual('the stream of RESET', streamId, open.streamId);
      expectEqual('the code of RESET', code, ErrorCode.Cancel);
    },
  },
  {
    rule: '7.1',
    title: 'resets the stream with CANCEL when the client of an upgrade goes away',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPGRADE);
      peer.send(switching(open.streamId));
      const { socket } = await call.upgraded();
      socket.destroy();
      // Until it was written to, a connection that is gone looks like one whose half has ended; the second write fails.
      await peer.until("the end of the client's half", () => hasEnded(peer, open.streamId) || undefined);
      peer.send(data(open.streamId, 'are you'));
      await serve(lab, peer);
      peer.send(data(open.streamId, 'there?'));
      const { streamId, code } = await peer.next(FrameType.Reset);
      expectEqual('the stream of RESET', streamId, open.streamId);
      expectEqual('the code of RESET', code, ErrorCode.Cancel);
    },
  },
  {
    rule: '7.3',
    title: 'answers RESET with nothing, though a client still sends',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPLOAD);
      call.write(Buffer.alloc(100_000));
      await peer.next(FrameType.Data);
      peer.send(reset(open.streamId, ErrorCode.UpstreamReset));
      await call.answer().catch(() => undefined);
      await serve(lab, peer);
      expectThat('no RESET', peer.all(FrameType.Reset).length === 0);
    },
  },
  {
    rule: '7.3',
    title: 'answers RESET in the middle of an answer with nothing',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      peer.send(head(open.streamId), data(open.streamId, 'half'));
      const response = await call.response();
      peer.send(reset(open.streamId, ErrorCode.UpstreamReset));
      await new Promise<void>((resolve) => response.resume().once('close', resolve));
      await serve(lab, peer);
      expectThat('no RESET', peer.all(FrameType.Reset).length === 0);
    },
  },
  ...breaches('7.5', ErrorCode.Protocol, {
    'REFUSED after a HEAD': (id) => bytesOf(head(id), refused(id, ErrorCode.Overload)),
    'REFUSED after a HEAD 103': (id) => bytesOf(head(id, 103), refused(id, ErrorCode.Overload)),
  }),
  {
    rule: '7.6',
    title: 'opens no more streams after GOAWAY, and serves those that it has',
    run: async (lab) => {
      const leaving = await lab.agent();
      const { call, open } = await lab.opened(leaving);
      // Fewer slots: as long as the other one takes streams, it is chosen.
      const staying = await lab.agent({ slots: { ordinary: 1, longRunning: 1 } });
      leaving.send(goaway(open.streamId));
      await leaving.expectAlive();
      await serve(lab, staying);
      expectEqual('the streams of the one that leaves', leaving.all(FrameType.Open).length, 1);
      leaving.send(emptyAnswer(open.streamId));
      expectStatus(await call.answer(), 200);
    },
  },
  {
    rule: '7.6',
    title: 'sends a request elsewhere whose stream is beyond the last one of GOAWAY',
    run: async (lab) => {
      const leaving = await lab.agent();
      const { call, open } = await lab.opened(leaving, POST);
      const staying = await lab.agent();
      leaving.send(goaway(open.streamId - 1));
      const again = await staying.next(FrameType.Open);
      staying.send(emptyAnswer(again.streamId, 201));
      expectStatus(await call.answer(), 201);
    },
  },
  {
    rule: '7.6',
    title: 'says that a request with a body beyond the last one of GOAWAY was not executed',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPLOAD);
      peer.send(goaway(open.streamId - 1));
      const { status, headers } = await call.answer();
      expectStatus({ status }, 503);
      expectThat('Retry-After, which promises that nothing ran', headers['retry-after'] !== undefined);
    },
  },
  {
    rule: '7.6',
    title: 'does not know of a request beyond the last one of GOAWAY that had an answer',
    run: async (lab) => {
      const leaving = await lab.agent();
      const { call, open } = await lab.opened(leaving, POST);
      const staying = await lab.agent();
      leaving.send(head(open.streamId, 103), goaway(open.streamId - 1));
      const { status, headers } = await call.answer();
      expectStatus({ status }, 504);
      expectThat('no Retry-After, which would promise that nothing ran', headers['retry-after'] === undefined);
      await staying.expectAlive();
      expectEqual('the streams of the other session', staying.all(FrameType.Open).length, 0);
    },
  },
  {
    rule: '7.8',
    title: 'serves its last stream when it drains, then closes the session',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPLOAD);
      await lab.suspend();
      const { document } = await peer.next(FrameType.Goaway);
      expectEqual('lastStreamId of GOAWAY', document['lastStreamId'], open.streamId);
      call.write(Buffer.alloc(30_000));
      peer.send(credit(open.streamId, 30_000));
      await peer.until('the body', () => peer.dataBytes(open.streamId) === 30_000 || undefined);
      peer.send(emptyAnswer(open.streamId));
      expectStatus(await call.answer(), 200);
      await peer.ended();
    },
  },
  {
    rule: '7.8',
    title: 'closes the session at once when it drains without streams',
    run: async (lab) => {
      const peer = await lab.agent();
      await lab.suspend();
      await peer.next(FrameType.Goaway);
      await peer.ended();
    },
  },
  ...breaches('7.11', ErrorCode.Protocol, {
    'GOAWAY without members': () => raw(FrameType.Goaway, 0, 0, '{}'),
    'GOAWAY whose last stream is a text': () =>
      raw(FrameType.Goaway, 0, 0, '{"lastStreamId":"1","code":0,"reason":""}'),
  }),
];

/** `until`: how far the exchange goes before the client leaves; `say` sends a head and half a body. */
async function expectCancel(lab: GatewayLab, until: (call: Call, say: () => void) => Promise<void>): Promise<void> {
  const peer = await lab.agent();
  const { call, open } = await lab.opened(peer);
  await until(call, () => peer.send(head(open.streamId), data(open.streamId, 'half')));
  call.destroy();
  const { streamId, code } = await peer.next(FrameType.Reset);
  expectEqual('the stream of RESET', streamId, open.streamId);
  expectEqual('the code of RESET', code, ErrorCode.Cancel);
}
