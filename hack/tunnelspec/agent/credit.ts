import { ErrorCode, FrameType, nameOf } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { creditOf, FIRST_CREDIT_BYTES } from '../gateway/bodies.ts';
import { credit, data, end, raw, u32 } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import { counted, received } from './bodies.ts';
import { type AgentLab, BODY_BEGINS, type UnderWay } from './lab.ts';

const KIB = 1024;
const MAX_DATA_BYTES = 64 * KIB;
/** More than all buffers between the agent and its upstream hold. */
const MUCH_BYTES = 32 * KIB * KIB;
/** Round trips in a row without news: what should have come would be here. */
const QUIET_TRIPS = 5;
/** Of the agent's time. */
const STALL_MS = 1_000;

/** Nothing of this stream comes any more: other things that were asked for later have come. */
async function settled(lab: AgentLab, peer: RawPeer): Promise<void> {
  await answered(lab, peer, 100);
  await peer.expectAlive();
}

/** A request that is answered whole, under its first credit. */
async function answered(lab: AgentLab, peer: RawPeer, bytes: number): Promise<void> {
  const { id, asked } = await lab.request(peer);
  asked.response.end(counted(bytes));
  await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
  expectEqual('the bytes of an answer', peer.dataBytes(id), bytes);
}

/** A request whose answer is longer than the first credit, of which all came that may. */
async function stalled(lab: AgentLab, peer: RawPeer, { isLongRunning = false } = {}): Promise<UnderWay> {
  const underWay = await lab.request(peer, { isLongRunning });
  underWay.asked.response.write(counted(KIB * KIB));
  await peer.until('the first credit to be used', () => peer.dataBytes(underWay.id) >= FIRST_CREDIT_BYTES || undefined);
  return underWay;
}

const sending: readonly AgentCase[] = [
  {
    rule: '5.1',
    title: 'sends as many DATA bytes as it has credit for, and no more',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id } = await stalled(lab, peer);
      await settled(lab, peer);
      expectEqual('the bytes under the first credit', peer.dataBytes(id), FIRST_CREDIT_BYTES);
      peer.send(credit(id, 10_000));
      await peer.until('the bytes of the next credit', () => peer.dataBytes(id) > FIRST_CREDIT_BYTES || undefined);
      await settled(lab, peer);
      expectEqual('the bytes under both credits', peer.dataBytes(id), FIRST_CREDIT_BYTES + 10_000);
    },
  },
  {
    rule: '5.6',
    title: 'ends an answer that has used all its credit',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer);
      asked.response.write(counted(FIRST_CREDIT_BYTES));
      await peer.until('the body', () => peer.dataBytes(id) === FIRST_CREDIT_BYTES || undefined);
      asked.response.end();
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
    },
  },
  {
    rule: '5.6',
    title: 'sends the trailers of an answer that has used all its credit',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer);
      asked.response.write(counted(FIRST_CREDIT_BYTES));
      await peer.until('the body', () => peer.dataBytes(id) === FIRST_CREDIT_BYTES || undefined);
      asked.response.addTrailers({ 'x-last': 'yes' });
      asked.response.end();
      await peer.next(FrameType.Trailers, ({ streamId }) => streamId === id);
    },
  },
];

const receiving: readonly AgentCase[] = [
  {
    rule: '5.2',
    title: 'ends the session with FLOW_CONTROL over DATA beyond the credit',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id } = await lab.post(peer);
      peer.send(data(id, Buffer.alloc(FIRST_CREDIT_BYTES + 1)));
      await peer.expectEndAtOnce(ErrorCode.FlowControl);
    },
  },
  {
    rule: '5.3',
    title: 'gives credit for a body when the upstream takes it, not before',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.post(peer);
      const sent = await sendUntilStalled(lab, peer, id);
      expectThat(`the credit to end before ${MUCH_BYTES} bytes that nobody reads`, sent < MUCH_BYTES, sent);
      const given = creditOf(peer, id);
      const body = received(asked);
      await peer.until('credit once the upstream reads', () => creditOf(peer, id) > given || undefined);
      peer.send(end(id));
      expectEqual('the bytes of the body', (await body).length, sent);
    },
  },
];

/** Sends a body that nobody reads as long as there is credit. Returns its bytes. */
async function sendUntilStalled(lab: AgentLab, peer: RawPeer, id: number): Promise<number> {
  let sent = BODY_BEGINS.length;
  for (let quiet = 0; quiet < QUIET_TRIPS && sent < MUCH_BYTES; quiet++) {
    while (creditOf(peer, id) > sent) {
      quiet = 0;
      const bytes = Math.min(MAX_DATA_BYTES, creditOf(peer, id) - sent);
      peer.send(data(id, Buffer.alloc(bytes)));
      sent += bytes;
    }
    await lab.roundTrip(peer);
  }
  return sent;
}

const windows: readonly AgentCase[] = [
  ['of 0 bytes', 0],
  ['of 2^31 bytes', 2 ** 31],
  ['that raises the window beyond 2^31-1', 2 ** 31 - 1],
].map(([what, bytes]) => ({
  rule: '5.4',
  title: `ends the session with FLOW_CONTROL over a WINDOW ${what}`,
  run: async (lab) => {
    const { peer } = await lab.session();
    const { id } = await lab.request(peer);
    peer.sendBytes(raw(FrameType.Window, 0, id, u32(Number(bytes))));
    await peer.expectEndAtOnce(ErrorCode.FlowControl);
  },
}));

const others: readonly AgentCase[] = [
  {
    rule: '5.5',
    title: 'answers beside an answer that we do not take',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, asked } = await lab.request(peer);
      asked.response.write(counted(FIRST_CREDIT_BYTES));
      await peer.until('the first credit to be used', () => peer.dataBytes(id) === FIRST_CREDIT_BYTES || undefined);
      // What comes now has to wait, and must not stand in anybody's way.
      asked.response.write(counted(KIB));
      for (let at = 0; at < 3; at++) await answered(lab, peer, FIRST_CREDIT_BYTES);
    },
  },
  {
    rule: '5.5',
    title: 'passes a body on beside one that the upstream does not take',
    run: async (lab) => {
      const { peer } = await lab.session();
      const stuck = await lab.post(peer);
      await sendUntilStalled(lab, peer, stuck.id);
      const { id, asked } = await lab.post(peer);
      peer.send(data(id, counted(10_000), { isEnd: true }));
      expectEqual('the bytes of the body', (await received(asked)).length, BODY_BEGINS.length + 10_000);
    },
  },
  {
    rule: '5.7',
    title: 'ends an ordinary answer that nobody takes with BACKPRESSURE, a long-running one stays',
    run: async (lab) => {
      const { peer } = await lab.session();
      await lab.configure(peer, { timeouts: { backpressureMs: STALL_MS } });
      const long = await stalled(lab, peer, { isLongRunning: true });
      // One after the other, so that the long-running one has waited for twice as long.
      for (let at = 0; at < 2; at++) {
        const { id, asked } = await stalled(lab, peer);
        const { streamId, code } = await peer.next(FrameType.Reset, undefined, lab.ms(3 * STALL_MS) + 2_000);
        expectEqual('the stream', streamId, id);
        expectEqual('the code', nameOf(code), nameOf(ErrorCode.Backpressure));
        expectEqual('the request at the upstream', await asked.closed, 'aborted');
      }
      long.asked.response.end();
      peer.send(credit(long.id, KIB * KIB));
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === long.id && isEnd);
      expectThat('the long answer to be whole', peer.body(long.id).equals(counted(KIB * KIB)));
    },
  },
];

/** §5. */
export const creditCases: readonly AgentCase[] = [...sending, ...receiving, ...windows, ...others];
