import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { GatewayCase } from '../case.ts';
import { expectStatus } from '../expect.ts';
import type { RawPeer } from '../peer.ts';
import type { Call, CallOptions } from './client.ts';
import type { GatewayLab } from './lab.ts';
import { serve } from './serve.ts';
import { bytesOf, credit, data, emptyAnswer, end, goaway, head, health, ping, pong, raw, slots } from './words.ts';

const MOST_FREE_SLOTS = 65_536;
/** Time in which each budget grows by a few. */
const REFILL_MS = 6_000;

/** One row of the table. */
interface Budget {
  readonly rule: string;
  readonly name: string;
  readonly atOnce: number;
  readonly perSecond: number;
  /** One of them, as its bytes. Given an open stream that has no answer yet. */
  readonly one: (streamId: number) => Buffer;
  /** What must be said before. */
  readonly first?: (streamId: number) => Frame;
  readonly call?: CallOptions;
}

const UPLOAD = { method: 'POST', hasBody: true } as const;

const BUDGETS: readonly Budget[] = [
  { rule: '10.1', name: 'PING', atOnce: 20, perSecond: 1, one: () => bytesOf(ping(1)) },
  { rule: '10.2', name: 'PONG', atOnce: 20, perSecond: 1, one: () => bytesOf(pong(1)) },
  {
    ...{ rule: '10.3', name: 'WINDOW of 4,095 bytes', atOnce: 100, perSecond: 10 },
    one: (id) => bytesOf(credit(id, 4_095)),
    call: UPLOAD,
  },
  {
    ...{ rule: '10.4', name: 'empty DATA', atOnce: 100, perSecond: 10 },
    one: (id) => bytesOf(data(id, '')),
    first: (id) => head(id),
  },
  {
    ...{ rule: '10.5', name: 'HEAD 103', atOnce: 1_000, perSecond: 100 },
    one: (id) => bytesOf(head(id, 103)),
  },
  {
    ...{ rule: '10.7', name: 'frames that are skipped', atOnce: 1_000, perSecond: 100 },
    one: () => raw(0x80, 0, 0),
  },
  { rule: '10.8', name: 'HEALTH', atOnce: 20, perSecond: 1, one: () => bytesOf(health()) },
  {
    ...{ rule: '10.10', name: 'GOAWAY', atOnce: 10, perSecond: 1 },
    one: (id) => bytesOf(goaway(id)),
  },
];

/** §10. */
export const abuseCases: readonly GatewayCase[] = [
  ...BUDGETS.flatMap(casesOf),
  {
    rule: '10.3',
    title: 'takes any number of WINDOW of 4,096 bytes',
    run: async (lab) => {
      const { peer, streamId } = await quietAgent(lab, UPLOAD);
      peer.sendBytes(times(500, bytesOf(credit(streamId, 4_096))));
      await serve(lab, peer);
    },
  },
  {
    rule: '10.4',
    title: 'takes any number of DATA with a byte',
    run: async (lab) => {
      const { peer, streamId } = await quietAgent(lab);
      peer.send(head(streamId));
      peer.sendBytes(times(500, bytesOf(data(streamId, 'x'))));
      await serve(lab, peer);
    },
  },
  ...tooManySlots({ ordinary: [MOST_FREE_SLOTS, 0], 'long-running': [0, MOST_FREE_SLOTS] }),
  {
    rule: '10.12',
    title: 'ends the session with PROTOCOL over SLOTS that announces none',
    run: async (lab) => {
      const peer = await lab.agent();
      peer.send(slots(0, 0));
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  },
  {
    rule: '10.12',
    title: 'takes SLOTS of one pool, and HELLO that has none',
    run: async (lab) => {
      const peer = await lab.agent({ slots: { ordinary: 0, longRunning: 0 } });
      peer.send(slots(0, 1), slots(1, 0));
      await serve(lab, peer);
    },
  },
];

function casesOf({ rule, name, atOnce, perSecond, one, first, call: options }: Budget): GatewayCase[] {
  const begin = async (lab: GatewayLab) => {
    const { peer, call, streamId } = await quietAgent(lab, options);
    if (first !== undefined) peer.send(first(streamId));
    const send = (count: number) => peer.sendBytes(times(count, one(streamId)));
    const expectAnswer = async () => {
      peer.send(first === undefined ? emptyAnswer(streamId) : end(streamId));
      expectStatus(await call.answer(), 200);
    };
    return { peer, send, expectAnswer };
  };
  return [
    {
      rule,
      title: `takes ${atOnce} ${name} at once`,
      run: async (lab) => {
        const { send, expectAnswer } = await begin(lab);
        send(atOnce);
        await expectAnswer();
      },
    },
    {
      rule,
      title: `ends the session with ABUSE over more than ${atOnce} ${name} at once`,
      run: async (lab) => {
        const { peer, send } = await begin(lab);
        // One, and what the budget grows by in a second: reading them all takes the peer its time.
        send(atOnce + 1 + perSecond);
        await peer.expectEndAtOnce(ErrorCode.Abuse);
      },
    },
    {
      rule,
      title: `takes more ${name} after a while`,
      isSlow: true,
      run: async (lab) => {
        const { send, expectAnswer } = await begin(lab);
        send(atOnce);
        await new Promise((resolve) => setTimeout(resolve, lab.ms(REFILL_MS)));
        // The peer counts from when it read the first ones.
        send((perSecond * REFILL_MS) / 2_000);
        await expectAnswer();
      },
    },
  ];
}

/** Slots of both pools that are just not too many. */
function tooManySlots(
  pools: Readonly<Record<string, readonly [ordinary: number, longRunning: number]>>,
): GatewayCase[] {
  return Object.entries(pools).map(([name, [ordinary, longRunning]]) => ({
    rule: '10.11',
    title: `takes ${MOST_FREE_SLOTS} free ${name} slots, and ends the session with ABUSE over one more`,
    run: async (lab) => {
      const peer = await lab.agent({ slots: { ordinary: 0, longRunning: 0 } });
      peer.send(slots(ordinary, longRunning));
      await peer.expectAlive();
      peer.send(slots(Math.min(ordinary, 1), Math.min(longRunning, 1)));
      await peer.expectEndAtOnce(ErrorCode.Abuse);
    },
  }));
}

/** A session with one open stream, of an agent that has said nothing but HELLO. */
async function quietAgent(lab: GatewayLab, options: CallOptions = {}): Promise<QuietAgent> {
  const peer = await lab.connect();
  peer.answersPings = false;
  peer.send(lab.hello());
  await peer.next(FrameType.Config);
  const { call, open } = await lab.opened(peer, options);
  return { peer, call, streamId: open.streamId };
}

interface QuietAgent {
  readonly peer: RawPeer;
  readonly call: Call;
  readonly streamId: number;
}

function times(count: number, one: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => one));
}
