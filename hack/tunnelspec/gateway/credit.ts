import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import type { RawPeer } from '../peer.ts';
import { creditOf, FIRST_CREDIT_BYTES, hasEnded, sendBody, takeBody } from './bodies.ts';
import { breaches } from './breach.ts';
import type { GatewayLab } from './lab.ts';
import { serve } from './serve.ts';
import { bytesOf, credit, data, end, head, raw, trailers, u32 } from './words.ts';

const KIB = 1024;
const MAX_CREDIT_BYTES = 2 ** 31 - 1;
/** More than the network between a gateway and a client that reads nothing can hold. */
const TOO_MUCH_BYTES = 48 * KIB * KIB;
/** So many requests served without a WINDOW: whatever was to come at once has come. */
const ROUNDS = 4;
const UPLOAD = { method: 'POST', hasBody: true } as const;

/** §5. */
export const creditCases: readonly GatewayCase[] = [
  {
    rule: '5.1',
    title: 'sends no more DATA than it has credit for',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPLOAD);
      call.write(Buffer.alloc(200 * KIB));
      for (let credited = FIRST_CREDIT_BYTES; credited < 40 * KIB; credited += 10_001) {
        await peer.until('all that credit allows', () => peer.dataBytes(open.streamId) >= credited || undefined);
        // What needs no credit still comes: there was time for more.
        await serve(lab, peer);
        expectEqual('the bytes that came', peer.dataBytes(open.streamId), credited);
        peer.send(credit(open.streamId, 10_001));
      }
    },
  },
  ...breaches('5.2', ErrorCode.FlowControl, {
    'DATA a byte beyond the first credit': (id) => bytesOf(head(id), data(id, Buffer.alloc(FIRST_CREDIT_BYTES + 1))),
  }),
  {
    rule: '5.2',
    title: 'takes DATA of all its credit, and ends the session with FLOW_CONTROL over a byte more',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      peer.send(head(open.streamId));
      await call.response();
      const sentBytes = await sendUntilStalled(lab, peer, open.streamId);
      expectEqual('the bytes sent', sentBytes, creditOf(peer, open.streamId));
      await peer.expectAlive();
      peer.send(data(open.streamId, 'x'));
      await peer.expectEndAtOnce(ErrorCode.FlowControl);
    },
  },
  {
    rule: '5.3',
    title: 'gives no credit back for what the client has not taken, and all when it has',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      peer.send(head(open.streamId));
      const response = await call.response();
      const sentBytes = await sendUntilStalled(lab, peer, open.streamId);
      response.resume();
      await peer.until('credit for what the client took', () =>
        creditOf(peer, open.streamId) > sentBytes ? true : undefined,
      );
      peer.send(end(open.streamId));
    },
  },
  ...breaches('5.4', ErrorCode.FlowControl, {
    'WINDOW of 0 bytes': (id) => raw(FrameType.Window, 0, id, u32(0)),
    'WINDOW of 2^31 bytes': (id) => raw(FrameType.Window, 0, id, u32(2 ** 31)),
    'WINDOW of 2^32-1 bytes': (id) => raw(FrameType.Window, 0, id, u32(2 ** 32 - 1)),
  }),
  {
    rule: '5.4',
    title: 'takes a window of 2^31-1 bytes, and ends the session with FLOW_CONTROL over a byte more',
    run: async (lab) => {
      const peer = await lab.agent();
      const { open } = await lab.opened(peer, UPLOAD);
      peer.send(credit(open.streamId, MAX_CREDIT_BYTES - FIRST_CREDIT_BYTES));
      await peer.expectAlive();
      peer.send(credit(open.streamId, 1));
      await peer.expectEndAtOnce(ErrorCode.FlowControl);
    },
  },
  {
    rule: '5.5',
    title: 'hands on answers while a client takes nothing of another one',
    run: async (lab) => {
      const peer = await lab.agent();
      const stalled = await lab.opened(peer);
      peer.send(head(stalled.open.streamId));
      await stalled.call.response();
      await sendUntilStalled(lab, peer, stalled.open.streamId);
      const { call, open } = await lab.opened(peer);
      const answer = call.answer();
      peer.send(head(open.streamId));
      await sendBody(peer, open.streamId, Buffer.alloc(200 * KIB));
      expectEqual('the bytes of the other answer', (await answer).body.length, 200 * KIB);
    },
  },
  {
    rule: '5.5',
    title: 'sends bodies while another one has no credit',
    run: async (lab) => {
      const peer = await lab.agent();
      const stalled = await lab.opened(peer, UPLOAD);
      stalled.call.write(Buffer.alloc(200 * KIB));
      await peer.until('all that credit allows', () =>
        peer.dataBytes(stalled.open.streamId) === FIRST_CREDIT_BYTES ? true : undefined,
      );
      const { call, open } = await lab.opened(peer, UPLOAD);
      call.write(Buffer.alloc(200 * KIB));
      call.end();
      expectEqual('the bytes of the other body', (await takeBody(peer, open.streamId)).length, 200 * KIB);
      expectEqual('the bytes of the stalled one', peer.dataBytes(stalled.open.streamId), FIRST_CREDIT_BYTES);
    },
  },
  ...withoutCredit({ END: {}, TRAILERS: { 'x-sum': 'abc' } }),
  {
    rule: '5.6',
    title: 'takes TRAILERS behind all of the credit',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      const { streamId } = open;
      peer.send(head(streamId), data(streamId, Buffer.alloc(FIRST_CREDIT_BYTES)), trailers(streamId, ['x-sum', 'abc']));
      const answer = await call.answer();
      expectEqual('the bytes of the body', answer.body.length, FIRST_CREDIT_BYTES);
      expectEqual('x-sum', answer.trailers['x-sum'], 'abc');
    },
  },
];

/** How a body ends whose credit is used up. */
function withoutCredit(ends: Readonly<Record<string, Readonly<Record<string, string>>>>): GatewayCase[] {
  return Object.entries(ends).map(([name, fields]) => ({
    rule: '5.6',
    title: `sends ${name}, and OPEN of other streams, without credit`,
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPLOAD);
      call.write(Buffer.alloc(FIRST_CREDIT_BYTES));
      await peer.until('all that credit allows', () =>
        peer.dataBytes(open.streamId) === FIRST_CREDIT_BYTES ? true : undefined,
      );
      await lab.opened(peer);
      if (Object.keys(fields).length > 0) call.request.addTrailers(fields);
      call.end();
      await peer.until(name, () => hasEnded(peer, open.streamId) || undefined);
      expectThat('TRAILERS only if there are any', peer.all(FrameType.Trailers).length === Object.keys(fields).length);
    },
  }));
}

/** Sends DATA under all credit that comes until none does. Returns the bytes. @throws Error when it does not end. */
async function sendUntilStalled(lab: GatewayLab, peer: RawPeer, streamId: number): Promise<number> {
  let sentBytes = 0;
  const pump = () => {
    const bytes = Math.min(creditOf(peer, streamId) - sentBytes, 64 * KIB, TOO_MUCH_BYTES - sentBytes);
    if (bytes <= 0) return;
    peer.send(data(streamId, Buffer.alloc(bytes)));
    sentBytes += bytes;
    pump();
  };
  peer.socket.on('message', pump);
  pump();
  for (let round = 0; round < ROUNDS; round++) {
    const beforeBytes = sentBytes;
    await serve(lab, peer);
    expectThat('credit to end while the client reads nothing', sentBytes < TOO_MUCH_BYTES);
    if (sentBytes > beforeBytes) round = 0;
  }
  peer.socket.off('message', pump);
  return sentBytes;
}
