import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { GatewayCase } from '../case.ts';
import { expectThat } from '../expect.ts';
import type { RawPeer } from '../peer.ts';
import { FIRST_CREDIT_BYTES } from './bodies.ts';
import type { GatewayLab } from './lab.ts';
import { serve } from './serve.ts';
import { credit, data, ping } from './words.ts';

const KIB = 1024;
/** What waits for credit in each body: more than any case gives. */
const BODY_BYTES = 256 * KIB;
/** More than the network holds: who sends it goes on until the case is over. */
const ENDLESS_BYTES = 4 * KIB * KIB;
/** A stream that has sent more than this lately is bulk. */
const BULK_AFTER_BYTES = 64 * KIB;
/** With the first credit: not yet bulk. */
const INTERACTIVE_BYTES = BULK_AFTER_BYTES - FIRST_CREDIT_BYTES;
/** So many that the share of the others is several turns: one that they have by chance does not look like it. */
const SMALL_STREAMS = 24;
/** Round trips through the gateway, after which it has read what its clients wrote before. */
const ROUNDS = 4;
const TOKEN = 4_711;

/** §6. Every body waits for credit; then one message gives it to all. */
export const orderCases: readonly GatewayCase[] = [
  ...comesFirst({
    PONG: {
      cause: () => ping(TOKEN),
      isIt: (frame) => frame.type === FrameType.Pong && frame.token === TOKEN,
    },
    RESET: {
      cause: (streamId) => data(streamId, 'a body before its head'),
      isIt: (frame) => frame.type === FrameType.Reset && frame.code === ErrorCode.UpstreamProtocol,
    },
  }),
  {
    rule: '6.2',
    title: 'gives 8 of 9 bytes to streams that have sent little, the rest to those that have sent much',
    run: async (lab) => {
      const peer = await lab.agent();
      const small = await waitingBodies(lab, peer, SMALL_STREAMS);
      const large = await waitingBodies(lab, peer, 3, { bodyBytes: ENDLESS_BYTES });
      await settle(lab, peer);
      // These go on as fast as they can, and so are bulk, when the others begin.
      peer.send(...large.map((id) => credit(id, ENDLESS_BYTES)));
      await allCame(peer, large, FIRST_CREDIT_BYTES + BULK_AFTER_BYTES + KIB);
      const mark = peer.heard.length;
      peer.send(...small.map((id) => credit(id, INTERACTIVE_BYTES)));
      await allCame(peer, small, BULK_AFTER_BYTES);
      const share = shareWhileBoth(dataOf(peer, mark), new Set(small));
      expectThat('8 of 9 bytes to be of small streams, within one round of all', share > 0.8 && share < 0.93, share);
    },
  },
  {
    rule: '6.3',
    title: 'shares evenly between streams with large and with small frames',
    run: async (lab) => {
      const peer = await lab.agent();
      const [large = 0] = await waitingBodies(lab, peer, 1);
      const [small = 0] = await waitingBodies(lab, peer, 1, { chunkBytes: 500 });
      await settle(lab, peer);
      const mark = peer.heard.length;
      peer.send(credit(large, INTERACTIVE_BYTES), credit(small, INTERACTIVE_BYTES));
      await allCame(peer, [large, small], BULK_AFTER_BYTES);
      const lead = widestLead(dataOf(peer, mark), large);
      expectThat('neither to be ahead by more than 32 KiB', lead <= 32 * KIB, lead);
    },
  },
];

interface First {
  /** What makes the gateway say it. Given a stream that has no answer yet. */
  readonly cause: (streamId: number) => Frame;
  readonly isIt: (frame: Frame) => boolean;
}

/** What is caused in the message that gives credit comes before all DATA that waited for it. */
function comesFirst(firsts: Readonly<Record<string, First>>): GatewayCase[] {
  return Object.entries(firsts).map(([name, { cause, isIt }]) => ({
    rule: '6.1',
    title: `writes ${name} before DATA that waited`,
    run: async (lab) => {
      const peer = await lab.agent();
      const bodies = await waitingBodies(lab, peer, 4);
      const { open } = await lab.opened(peer);
      await settle(lab, peer);
      const mark = peer.heard.length;
      peer.send(...bodies.map((id) => credit(id, INTERACTIVE_BYTES)), cause(open.streamId));
      await allCame(peer, bodies, BULK_AFTER_BYTES);
      const at = peer.heard.findIndex((frame, index) => index >= mark && isIt(frame));
      const firstData = peer.heard.findIndex((frame, index) => index >= mark && frame.type === FrameType.Data);
      expectThat(`${name} to come before the first DATA`, at >= 0 && at < firstData, { at, firstData });
    },
  }));
}

/** Streams whose clients have sent bodies, in chunks of so many bytes; the first credit of each is used up. Returns their ids. */
async function waitingBodies(
  lab: GatewayLab,
  peer: RawPeer,
  count: number,
  { bodyBytes = BODY_BYTES, chunkBytes }: { readonly bodyBytes?: number; readonly chunkBytes?: number } = {},
): Promise<number[]> {
  const ids: number[] = [];
  for (let made = 0; made < count; made++) {
    const { call, open } = await lab.opened(peer, { method: 'POST', hasBody: true });
    const chunk = Buffer.alloc(chunkBytes ?? bodyBytes);
    for (let at = 0; at < bodyBytes; at += chunk.length) call.write(chunk);
    ids.push(open.streamId);
  }
  await allCame(peer, ids, FIRST_CREDIT_BYTES);
  return ids;
}

/** What clients have written has been read by the gateway, as far as it wants to. */
async function settle(lab: GatewayLab, peer: RawPeer): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) await serve(lab, peer);
}

async function allCame(peer: RawPeer, ids: readonly number[], bytes: number): Promise<void> {
  await peer.until(`${bytes} bytes of each stream`, () =>
    ids.every((id) => peer.dataBytes(id) >= bytes) ? true : undefined,
  );
}

interface Piece {
  readonly streamId: number;
  readonly bytes: number;
}

/** DATA since then. */
function dataOf(peer: RawPeer, mark: number): Piece[] {
  return peer.heard
    .slice(mark)
    .flatMap((frame) =>
      frame.type === FrameType.Data ? [{ streamId: frame.streamId, bytes: frame.data.length }] : [],
    );
}

/** Share of these streams in all bytes, from their first to their last. */
function shareWhileBoth(pieces: readonly Piece[], ids: ReadonlySet<number>): number {
  const begin = pieces.findIndex(({ streamId }) => ids.has(streamId));
  const end = pieces.findLastIndex(({ streamId }) => ids.has(streamId)) + 1;
  const sum = (some: readonly Piece[]) => some.reduce((total, { bytes }) => total + bytes, 0);
  const both = pieces.slice(begin, end);
  return sum(both.filter(({ streamId }) => ids.has(streamId))) / sum(both);
}

/** By how much one of two streams was ahead of the other, at most. */
function widestLead(pieces: readonly Piece[], one: number): number {
  let lead = 0;
  let widest = 0;
  for (const { streamId, bytes } of pieces) {
    lead += streamId === one ? bytes : -bytes;
    widest = Math.max(widest, Math.abs(lead));
  }
  return widest;
}
