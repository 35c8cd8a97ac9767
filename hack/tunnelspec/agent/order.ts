import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { AgentCase } from '../case.ts';
import { expectThat } from '../expect.ts';
import { FIRST_CREDIT_BYTES } from '../gateway/bodies.ts';
import { credit, data, ping } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import { counted } from './bodies.ts';
import type { AgentLab, UnderWay } from './lab.ts';
import type { Asked } from './upstream.ts';

const KIB = 1024;
/** What may wait at the agent for each stream, at least. */
const WAITING_BYTES = 48 * KIB;
/** What a stream may send in its turn. */
const TURN_BYTES = 16 * KIB;
/** A stream that has sent more than this is a bulk one. */
const BULK_BYTES = 64 * KIB;
const SEVERAL = 4;
/** All that the system's buffers between us can hold, many times over. */
const FAR_BEHIND_BYTES = 32 * KIB * KIB;
/** Of the agent's time. */
const DEADLINE_MS = 1_500;

/** An answer of which all that the first credit let through has come, and at least `WAITING_BYTES` more wait at the agent. */
async function waiting(lab: AgentLab, peer: RawPeer, answer = whole): Promise<UnderWay> {
  const stream = await lab.request(peer);
  answer(stream.asked);
  const isUsed = () => peer.dataBytes(stream.id) >= FIRST_CREDIT_BYTES || undefined;
  await peer.until('the first credit to be used', isUsed);
  await caughtUp(lab, peer);
  return stream;
}

async function severalWaiting(lab: AgentLab, peer: RawPeer): Promise<readonly UnderWay[]> {
  const streams: UnderWay[] = [];
  while (streams.length < SEVERAL) streams.push(await waiting(lab, peer));
  return streams;
}

/** What the upstream sent has come to the agent: it read from all its connections before it answered us three times. */
async function caughtUp(lab: AgentLab, peer: RawPeer, ...beside: readonly Frame[]): Promise<void> {
  for (let at = 0; at < 3; at++) {
    if (beside.length > 0) peer.send(...beside);
    await lab.roundTrip(peer);
  }
}

function whole({ response }: Asked): void {
  response.write(counted(KIB * KIB));
}

/** Where the first frame stands that came after `from` and is such a one. @throws Error when there is none. */
function placeOf(peer: RawPeer, from: number, type: FrameType): number {
  const at = peer.heard.findIndex((frame, place) => place >= from && frame.type === type);
  expectThat(`a frame of type ${type}`, at >= 0);
  return at;
}

/** DATA bytes of two sets of streams, counted as they come from place `from` on. */
function shares(peer: RawPeer, from: number, { id }: UnderWay, others: readonly UnderWay[]) {
  const steps: { one: number; rest: number }[] = [{ one: 0, rest: 0 }];
  for (const frame of peer.heard.slice(from)) {
    if (frame.type !== FrameType.Data) continue;
    const last = steps.at(-1) ?? { one: 0, rest: 0 };
    const bytes = frame.data.length;
    if (frame.streamId === id) steps.push({ ...last, one: last.one + bytes });
    else if (others.some((other) => other.id === frame.streamId)) steps.push({ ...last, rest: last.rest + bytes });
  }
  return steps;
}

const control: readonly AgentCase[] = [
  {
    rule: '6.1',
    title: 'writes PONG, REFUSED and SLOTS before the DATA that the same message let go',
    run: async (lab) => {
      const { peer } = await lab.session();
      const streams = await severalWaiting(lab, peer);
      const from = peer.heard.length;
      const grants = streams.map(({ id }) => credit(id, WAITING_BYTES));
      peer.send(...grants, lab.open(peer, { identity: undefined }), ping(4711));
      await peer.next(FrameType.Pong, ({ token }) => token === 4711);
      const isDone = ({ id }: UnderWay) => peer.dataBytes(id) >= FIRST_CREDIT_BYTES + WAITING_BYTES;
      await peer.until('the DATA', () => streams.every(isDone) || undefined);
      const firstData = placeOf(peer, from, FrameType.Data);
      for (const type of [FrameType.Pong, FrameType.Refused, FrameType.Slots])
        expectThat(`type ${type} before the DATA`, placeOf(peer, from, type) < firstData);
    },
  },
  {
    rule: '6.1',
    title: 'writes WINDOW before the DATA that the same message let go',
    run: async (lab) => {
      const { peer } = await lab.session();
      const streams = await severalWaiting(lab, peer);
      // Whose answer is complete: the agent throws away what still comes, and gives credit for it at once.
      const answered = await lab.post(peer);
      answered.asked.response.end('{}');
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === answered.id && isEnd);
      await caughtUp(lab, peer);
      const from = peer.heard.length;
      peer.send(...streams.map(({ id }) => credit(id, WAITING_BYTES)), data(answered.id, Buffer.alloc(8 * KIB)));
      await peer.next(FrameType.Window, ({ streamId }) => streamId === answered.id);
      await peer.until('DATA', () => peer.heard.slice(from).some(({ type }) => type === FrameType.Data) || undefined);
      const isAhead = placeOf(peer, from, FrameType.Window) < placeOf(peer, from, FrameType.Data);
      expectThat('WINDOW before the DATA', isAhead);
    },
  },
  {
    rule: '6.1',
    title: 'writes RESET before an answer that waits for us to read',
    run: async (lab) => {
      const { peer } = await lab.session();
      await lab.configure(peer, { timeouts: { controlWriteMs: 60_000 } });
      const endless = await lab.request(peer);
      const late = await lab.request(peer, { deadlineMs: DEADLINE_MS });
      const stop = flood(endless.asked);
      peer.send(credit(endless.id, 2 ** 30));
      peer.pause();
      // The agent has ended it: its RESET is written, or waits behind what we do not read.
      await late.asked.closed;
      peer.resume();
      await peer.until('RESET', () => {
        expectThat('RESET before so much DATA', peer.dataBytes(endless.id) < FAR_BEHIND_BYTES);
        return peer.all(FrameType.Reset).find(({ streamId }) => streamId === late.id);
      });
      stop();
    },
  },
];

/** Answers as fast as it is taken, until told to stop. */
function flood({ response }: Asked): () => void {
  const chunk = counted(BULK_BYTES);
  let isStopped = false;
  const go = () => {
    if (isStopped || response.destroyed) return;
    if (response.write(chunk)) setImmediate(go);
    else response.once('drain', go);
  };
  go();
  return () => {
    isStopped = true;
    response.destroy();
  };
}

const GRANT_BYTES = 44 * KIB;

const lanes: readonly AgentCase[] = [
  {
    rule: '6.2',
    title: 'gives streams that have sent little 8 of 9 bytes beside one that has sent much',
    run: async (lab) => {
      const { peer } = await lab.session();
      const small = await severalWaiting(lab, peer);
      const bulk = await waiting(lab, peer);
      peer.send(credit(bulk.id, 2 * BULK_BYTES));
      const sent = FIRST_CREDIT_BYTES + 2 * BULK_BYTES;
      await peer.until('the bulk stream to have sent much', () => peer.dataBytes(bulk.id) >= sent || undefined);
      // It goes on a little: who has paused is no bulk stream any more.
      await caughtUp(lab, peer, credit(bulk.id, KIB));
      const from = peer.heard.length;
      peer.send(credit(bulk.id, WAITING_BYTES), ...small.map(({ id }) => credit(id, GRANT_BYTES)));
      const all = SEVERAL * GRANT_BYTES;
      const steps = await peer.until('the DATA', () => {
        const came = shares(peer, from, bulk, small);
        return (came.at(-1)?.rest ?? 0) >= all ? came : undefined;
      });
      // Until the small ones were done both waited; the ninth byte comes in turns of 16 KiB.
      const { one: beside } = steps.find(({ rest }) => rest >= all) ?? { one: 0 };
      const fair = all / 8;
      const isFair = beside >= TURN_BYTES / 2 && beside <= fair + TURN_BYTES;
      expectThat(`some of the bulk stream beside ${all} bytes of the others, and about ${fair} bytes`, isFair, beside);
    },
  },
  {
    rule: '6.3',
    title: 'lets two streams have as many bytes each, one in small frames and one in large ones',
    run: async (lab) => {
      const { peer } = await lab.session();
      const crumbling = await waiting(lab, peer, crumbs);
      const other = await waiting(lab, peer);
      const from = peer.heard.length;
      peer.send(credit(other.id, WAITING_BYTES), credit(crumbling.id, WAITING_BYTES));
      const steps = await peer.until('the DATA', () => {
        const came = shares(peer, from, crumbling, [other]);
        const last = came.at(-1) ?? { one: 0, rest: 0 };
        return last.one >= WAITING_BYTES && last.rest >= WAITING_BYTES ? came : undefined;
      });
      const bothWait = steps.filter(({ one, rest }) => one < WAITING_BYTES && rest < WAITING_BYTES);
      const apart = Math.max(...bothWait.map(({ one, rest }) => Math.abs(one - rest)));
      expectThat('the shares to stay close to each other', apart <= 1.5 * TURN_BYTES, apart);
    },
  },
];

/** An answer in small chunks. */
function crumbs({ response }: Asked): void {
  const chunk = counted(512);
  for (let at = 0; at < FIRST_CREDIT_BYTES + 2 * WAITING_BYTES; at += chunk.length) response.write(chunk);
}

/** §6. */
export const orderCases: readonly AgentCase[] = [...control, ...lanes];
