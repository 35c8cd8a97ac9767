import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { ErrorCode, Flag, FrameType } from '../../../tunnel/wire/codes.ts';
import type { GatewayCase } from '../case.ts';
import { Skipped } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import type { RawPeer } from '../peer.ts';
import { creditOf, FIRST_CREDIT_BYTES, sendBody } from './bodies.ts';
import type { Call, CallOptions } from './client.ts';
import type { GatewayLab } from './lab.ts';
import { serve } from './serve.ts';
import { data, end, raw } from './words.ts';

const KIB = 1024;
const DEFLATE = { features: ['deflate'] };
/** Shrinks to a hundredth, and is larger than what the network between gateway and client can hold. */
const HUGE_BYTES = 14 * KIB * KIB;
const TEXT = JSON.stringify({
  items: Array.from({ length: 500 }, (_, at) => ({ name: `pod-${at}`, phase: 'Running' })),
});

/** §4: deflated answers. */
export const compressionCases: readonly GatewayCase[] = [
  {
    rule: '4.17',
    title: 'ends the session with PROTOCOL over DEFLATED without the feature',
    run: async (lab) => {
      const peer = await lab.agent();
      const { open } = await lab.opened(peer);
      peer.sendBytes(deflatedHead(open.streamId));
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  },
  {
    rule: '4.18',
    title: 'inflates a DEFLATED answer, whose header fields speak of it as inflated',
    run: async (lab) => {
      const { peer, call, streamId } = await deflating(lab, ['content-length', String(TEXT.length)]);
      const answer = call.answer();
      await sendBody(peer, streamId, deflateRawSync(TEXT), { mostBytes: 333 });
      const { body, headers, isWhole } = await answer;
      expectThat('the body as it was, whole', isWhole && body.toString('utf8') === TEXT, body.length);
      expectEqual('content-length', headers['content-length'], String(TEXT.length));
      expectEqual('content-encoding', headers['content-encoding'], undefined);
    },
  },
  {
    rule: '4.18',
    title: 'inflates a DEFLATED answer without a length',
    run: async (lab) => {
      const { peer, call, streamId } = await deflating(lab);
      const sent = Buffer.concat([randomBytes(200 * KIB), Buffer.alloc(200 * KIB)]);
      const answer = call.answer();
      await sendBody(peer, streamId, deflateRawSync(sent));
      const { body, isWhole } = await answer;
      expectThat('the body as it was, whole', isWhole && body.equals(sent), body.length);
    },
  },
  ...failures({
    'a body that is no DEFLATE': [Buffer.from([0xff, 0xff, 0xff, 0xff])],
    'a body that ends too early': [deflateRawSync(TEXT).subarray(0, -4)],
    'a body without a byte': [],
    'bytes behind the end': [deflateRawSync(TEXT), Buffer.from('more')],
    'a byte behind the end in the same DATA': [Buffer.concat([deflateRawSync(TEXT), Buffer.from([0])])],
  }),
  {
    rule: '4.18',
    title: 'cuts the answer that the client has begun to take when the rest does not inflate',
    run: async (lab) => {
      const { peer, call, streamId } = await deflating(lab);
      const half = deflateRawSync(TEXT);
      peer.send(data(streamId, half.subarray(0, half.length / 2)), end(streamId));
      expectThat('no answer that looks whole', (await call.answer()).isWhole !== true);
      await serve(lab, peer);
    },
  },
  {
    rule: '4.19',
    title: 'gives no credit back for what it has not inflated for the client yet, and all of it later',
    run: async (lab) => {
      const { peer, call, streamId } = await deflating(lab);
      const deflated = deflateRawSync(Buffer.alloc(HUGE_BYTES), { level: 9 });
      expectThat('a body within the first credit', deflated.length <= FIRST_CREDIT_BYTES, deflated.length);
      const response = await call.response();
      for (let at = 0; at < deflated.length; at += KIB) peer.send(data(streamId, deflated.subarray(at, at + KIB)));
      for (let round = 0; round < 4; round++) await serve(lab, peer);
      const heldBytes = deflated.length - (creditOf(peer, streamId) - FIRST_CREDIT_BYTES);
      expectThat('credit for a part of the body to be held back', heldBytes > deflated.length / 4, heldBytes);
      peer.send(end(streamId));
      let bytes = 0;
      for await (const chunk of response) bytes += (chunk as Buffer).length;
      expectEqual('the bytes of the body', bytes, HUGE_BYTES);
    },
  },
];

/** HEAD 200 with DEFLATED and so many header lines. */
function deflatedHead(streamId: number, headers: readonly string[] = []): Buffer {
  const texts = headers.flatMap((text) => [0, text.length, ...Buffer.from(text, 'latin1')]);
  return raw(FrameType.Head, Flag.Deflated, streamId, Buffer.from([0, 200, 0, headers.length / 2, ...texts]));
}

/** An answer that has begun, on a session with the feature. */
async function deflating(
  lab: GatewayLab,
  headers: readonly string[] = [],
  options: CallOptions = {},
): Promise<{ peer: RawPeer; call: Call; streamId: number }> {
  const peer = await lab.agent(DEFLATE);
  const [welcome] = peer.all(FrameType.Welcome);
  const features = welcome?.document['features'];
  if (!Array.isArray(features) || !features.includes('deflate')) throw new Skipped('needs the feature deflate');
  const { call, open } = await lab.opened(peer, options);
  peer.sendBytes(deflatedHead(open.streamId, headers));
  return { peer, call, streamId: open.streamId };
}

/** Bodies that are not one DEFLATE stream; the session goes on. */
function failures(bodies: Readonly<Record<string, readonly Uint8Array[]>>): GatewayCase[] {
  return Object.entries(bodies).map(([what, pieces]) => ({
    rule: '4.18',
    title: `ends the stream with UPSTREAM_PROTOCOL over ${what}`,
    run: async (lab) => {
      // The request still has its body to send: its stream is there, whatever the answer's half has said.
      const { peer, call, streamId } = await deflating(lab, [], { method: 'POST', hasBody: true });
      const answered = call.answer().catch(() => undefined);
      for (const piece of pieces) peer.send(data(streamId, piece));
      peer.send(end(streamId));
      const reset = await peer.next(FrameType.Reset);
      expectEqual('the stream of RESET', reset.streamId, streamId);
      expectEqual('the code of RESET', reset.code, ErrorCode.UpstreamProtocol);
      expectThat('no answer that looks whole', (await answered)?.isWhole !== true);
      await serve(lab, peer);
    },
  }));
}
