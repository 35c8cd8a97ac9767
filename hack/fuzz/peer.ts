import { GET, OK } from '../../test/conformance/harness.ts';
import { FrameType } from '../../tunnel/wire/codes.ts';
import { encode, packMessage } from '../../tunnel/wire/encode.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';
import type { RequestHead } from '../../tunnel/wire/head.ts';
import { INITIAL_WINDOW_BYTES } from '../../tunnel/wire/limits.ts';
import { pick, type Random } from './random.ts';

/** Ids that a peer makes up when it breaks rules: few, so that its frames meet. */
const STREAMS = 6;
/** One frame and one message of so many breaks a rule: rude peers are found out at once, polite ones get far. */
const BREAKS_EVERY = [6, 30, 150, 1_000];
/** Credits that are usual, small, and such that the sum passes the bound. */
const CREDITS = [4_096, 16_384, 16_384, 100_000, 1, 2 ** 30];
const STATUSES = [200, 200, 200, 100, 101, 103, 404, 599];
const REASONS = ['', 'the client went away', '\u{1f600}'.repeat(300)];

/** One stream as the peer knows it. */
interface Known {
  readonly id: number;
  hasHead: boolean;
  isEnded: boolean;
}

/** A peer that mostly keeps the rules, so that its session gets somewhere, and says each thing at any time at which it may. */
export class Peer {
  readonly breaksEvery: number;
  readonly #side: 'agent' | 'gateway';
  readonly #random: Random;
  readonly #streams: Known[] = [];

  constructor(side: 'agent' | 'gateway', random: Random) {
    this.#side = side;
    this.#random = random;
    this.breaksEvery = pick(BREAKS_EVERY, random);
  }

  /** A frame of the session under test. */
  hear(frame: Frame): void {
    if (frame.type === FrameType.Open) this.#streams.push({ id: frame.streamId, hasHead: false, isEnded: false });
  }

  /** One to four frames in one message. */
  message(): Buffer {
    return packMessage(Array.from({ length: 1 + this.#random(4) }, () => encode(this.#frame())));
  }

  #frame(): Frame {
    const random = this.#random;
    if (random(this.breaksEvery) === 0) return this.#rude();
    const known = this.#streams.filter(({ isEnded }) => !isEnded);
    if (this.#side === 'gateway' && (known.length === 0 || random(6) === 0)) return this.#open();
    if (known.length === 0 || random(5) === 0)
      return pick(this.#side === 'agent' ? AGENT_NEWS : GATEWAY_NEWS, random)(random);
    return this.#stream(pick(known, random));
  }

  #open(): Frame {
    const streamId = (this.#streams.at(-1)?.id ?? 0) + 1 + (this.#random(8) === 0 ? 1 : 0);
    const isEnd = this.#random(2) === 0;
    this.#streams.push({ id: streamId, hasHead: true, isEnded: isEnd });
    return { type: FrameType.Open, streamId, isEnd, head: request(this.#random) };
  }

  #stream(stream: Known): Frame {
    const random = this.#random;
    const { id: streamId } = stream;
    if (random(4) === 0) return { type: FrameType.Window, streamId, creditBytes: pick(CREDITS, random) };
    if (!stream.hasHead && random(5) > 0) return this.#head(stream);
    stream.isEnded = random(5) === 0;
    if (!stream.isEnded) return { type: FrameType.Data, streamId, isEnd: false, data: body(random) };
    return pick(ENDS, random)(streamId, random);
  }

  #head(stream: Known): Frame {
    const random = this.#random;
    const { id: streamId } = stream;
    if (random(8) === 0) {
      stream.isEnded = true;
      return { type: FrameType.Refused, streamId, code: random(30), detail: pick(REASONS, random) };
    }
    const status = pick(STATUSES, random);
    stream.hasHead = status >= 200;
    stream.isEnded = random(6) === 0;
    const deflated = random(8) === 0 ? { isDeflated: true as const } : {};
    return { type: FrameType.Head, streamId, isEnd: stream.isEnded, head: { ...OK, status, ...deflated } };
  }

  /** Anything at all, about any stream. */
  #rude(): Frame {
    return pick(RUDE, this.#random)(1 + this.#random(STREAMS), this.#random);
  }
}

type Make = (streamId: number, random: Random) => Frame;
type News = (random: Random) => Frame;

const NEWS: readonly News[] = [
  (random) => ({ type: FrameType.Ping, token: random(1_000) }),
  (random) => ({ type: FrameType.Pong, token: random(4) }),
];
const AGENT_NEWS: readonly News[] = [
  ...NEWS,
  (random) => ({ type: FrameType.Slots, slots: { ordinary: 1 + random(3), longRunning: random(2) } }),
  (random) => ({ type: FrameType.Health, document: { in_flight: random(9) } }),
];
const GATEWAY_NEWS: readonly News[] = [
  ...NEWS,
  (random) => ({ type: FrameType.Config, document: { generation: random(9) } }),
];

const ENDS: readonly Make[] = [
  (streamId, random) => ({ type: FrameType.Data, streamId, isEnd: true, data: body(random) }),
  (streamId) => ({ type: FrameType.Trailers, streamId, trailers: ['X-Last', 'one'] }),
  (streamId, random) => ({ type: FrameType.Reset, streamId, code: random(30), detail: pick(REASONS, random) }),
];

const RUDE: readonly Make[] = [
  ...ENDS,
  (streamId) => ({ type: FrameType.Data, streamId, isEnd: false, data: new Uint8Array(INITIAL_WINDOW_BYTES + 1) }),
  (streamId) => ({ type: FrameType.Window, streamId, creditBytes: 2 ** 31 - 1 }),
  (streamId, random) => ({ type: FrameType.Open, streamId, isEnd: false, head: request(random) }),
  (streamId) => ({ type: FrameType.Head, streamId, isEnd: false, head: OK }),
  (streamId) => ({ type: FrameType.Refused, streamId, code: 1, detail: '' }),
  () => ({ type: FrameType.Slots, slots: { ordinary: 0, longRunning: 0 } }),
  (_, random) => ({ type: FrameType.Goaway, document: { lastStreamId: random(8), code: random(30), reason: 'bye' } }),
  () => ({ type: FrameType.Goaway, document: {} }),
];

/** A request of any kind. */
export function request(random: Random): RequestHead {
  const identity = random(4) === 0 ? undefined : GET.identity;
  return { ...GET, identity, isLongRunning: random(2) === 0, isUpgrade: random(3) === 0 };
}

/** Now and then most of the first credit. */
export function body(random: Random): Uint8Array {
  return new Uint8Array(random(20) === 0 ? random(INITIAL_WINDOW_BYTES) : random(200));
}
