import { AgentEnd, expectNothingLeft, GatewayEnd, HELLO, Owner } from '../../test/conformance/harness.ts';
import { naiveRead } from '../../test/support/naive-codec.ts';
import { Played } from '../../test/support/played.ts';
import { turn } from '../../test/support/transport-pair.ts';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import { encode, packMessage } from '../../tunnel/wire/encode.ts';
import { INITIAL_WINDOW_BYTES } from '../../tunnel/wire/limits.ts';
import type { Finding } from './decoder.ts';
import { mutated } from './mutate.ts';
import { body, Peer, request } from './peer.ts';
import { pick, type Random, seeded, seedOf } from './random.ts';

const MESSAGES = 40;
const WELCOME = { version: 1, features: [], sessionId: 's', replicaId: 'r', gatewayVersion: '0.1.0' };

/** Feeds sessions with what no peer should say, one session after another, always the same ones for the same seed. */
export class SessionFuzz {
  readonly #corpus: readonly Buffer[];
  readonly #seed: number;
  sessions = 0;
  /** Messages that were delivered. */
  messages = 0;
  /** Sessions that a message ended, by code. */
  readonly endsByCode = new Map<number, number>();

  constructor(seed: number, corpus: readonly Buffer[]) {
    this.#seed = seed;
    this.#corpus = corpus;
  }

  /** Lives the session of a number to its end, and looks whether anything is left of it. */
  async run(index: number): Promise<Finding | undefined> {
    const random = seeded(seedOf(this.#seed, index));
    const delivered: Buffer[] = [];
    try {
      await this.#live(random, delivered);
      return undefined;
    } catch (error) {
      const hex = delivered.map((message) => message.toString('hex')).join(' ');
      return { index, what: error instanceof Error ? error.message : String(error), hex };
    }
  }

  async #live(random: Random, delivered: Buffer[]): Promise<void> {
    const side = random(2) === 0 ? 'agent' : 'gateway';
    const peer = new Peer(side, random);
    const watch = new SentWatch(peer);
    const line = new Played((message) => watch.sent(message));
    const deliver = (message: Buffer) => {
      delivered.push(message);
      watch.delivered(message);
      line.deliver(message);
    };
    const end = side === 'agent' ? new GatewayEnd(line) : new AgentEnd(line);
    const owners: Owner[] = [];
    if (end instanceof AgentEnd) end.serve = (owner) => keep(owners, owner, random);
    deliver(this.#greeting(side, random));
    if (end instanceof GatewayEnd) openSome(end, owners, random);
    for (let left = random(MESSAGES); left > 0 && end.ends.length === 0; left--) {
      if (random(3) === 0) await turn();
      deliver(this.#message(peer, random));
      for (const owner of owners) watch.owner(owner);
      act(end, owners, random);
    }
    this.sessions += 1;
    this.messages += delivered.length;
    await this.#bury(end, line, owners);
    if (watch.trouble !== undefined) throw new Error(watch.trouble);
  }

  #greeting(side: 'agent' | 'gateway', random: Random): Buffer {
    const greeting =
      side === 'agent'
        ? encode({ type: FrameType.Hello, document: { ...HELLO, features: random(4) === 0 ? [] : ['deflate'] } })
        : encode({ type: FrameType.Welcome, document: WELCOME });
    const message = packMessage([greeting]);
    return random(20) === 0 ? mutated([message], random) : message;
  }

  #message(peer: Peer, random: Random): Buffer {
    const message = peer.message();
    if (random(peer.breaksEvery) > 0) return message;
    return mutated(random(3) === 0 ? this.#corpus : [message], random);
  }

  /** However the session fared: it ends once, and nothing is left of it. */
  async #bury(end: GatewayEnd | AgentEnd, line: Played, owners: readonly Owner[]): Promise<void> {
    const { session } = end instanceof GatewayEnd ? end.gateway : end.agent;
    await turn();
    const code = end.ends[0]?.code;
    if (code !== undefined) this.endsByCode.set(code, (this.endsByCode.get(code) ?? 0) + 1);
    session.close(ErrorCode.None, 'done');
    line.over();
    for (let turns = 0; turns < 3; turns++) await turn();
    for (const { closes, errors } of owners) {
      if (closes !== 1) throw new Error(`a stream closed ${closes} times`);
      if (errors.length > 1) throw new Error(`a stream failed ${errors.length} times`);
    }
    // What finished with bytes that nobody read keeps its reserve until its owner drops them.
    for (const { stream } of owners) stream.reset(ErrorCode.Cancel);
    expectNothingLeft(end);
  }
}

/** What a session sends: always frames that any peer can read, and never more DATA than credit. */
class SentWatch {
  /** The first that was wrong. */
  trouble: string | undefined;
  readonly #credit = new Map<number, number>();
  /** Streams that ended, and how many chunks they had then. */
  readonly #ended = new Map<number, number>();
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  sent(message: Uint8Array): void {
    const { frames, trouble } = naiveRead(message);
    if (trouble !== undefined) this.trouble ??= `the session sent what nobody can read: ${trouble.message}`;
    for (const frame of frames) {
      this.#peer.hear(frame);
      if (frame.type !== FrameType.Data) continue;
      const left = this.#left(frame.streamId) - frame.data.length;
      if (left < 0) this.trouble ??= `stream ${frame.streamId} sent ${-left} bytes beyond its credit`;
      this.#credit.set(frame.streamId, left);
    }
  }

  /** What a stream's owner hears: one end, nothing behind it, and never more than its window. */
  owner({ stream, ends, chunks }: Owner): void {
    const seen = this.#ended.get(stream.id);
    if (ends > 1) this.trouble ??= `stream ${stream.id} ended ${ends} times`;
    if (seen !== undefined && seen !== chunks.length) this.trouble ??= `stream ${stream.id} had DATA after its end`;
    if (ends > 0) this.#ended.set(stream.id, chunks.length);
    const { bufferedBytes, windowBytes } = stream;
    if (bufferedBytes > windowBytes)
      this.trouble ??= `stream ${stream.id} holds ${bufferedBytes} of ${windowBytes} bytes`;
  }

  delivered(message: Uint8Array): void {
    for (const frame of naiveRead(message).frames) {
      if (frame.type === FrameType.Window) {
        this.#credit.set(frame.streamId, this.#left(frame.streamId) + frame.creditBytes);
      }
    }
  }

  #left(streamId: number): number {
    return this.#credit.get(streamId) ?? INITIAL_WINDOW_BYTES;
  }
}

function keep(owners: Owner[], owner: Owner, random: Random): void {
  owners.push(owner);
  owner.isReading = random(2) === 0;
}

function openSome(end: GatewayEnd, owners: Owner[], random: Random): void {
  for (let left = random(5); left > 0; left--) {
    const stream = end.gateway.open(request(random), random(2) === 0);
    if (stream !== undefined) keep(owners, new Owner(stream), random);
  }
}

const ACTIONS: readonly ((owner: Owner, random: Random) => void)[] = [
  ({ stream }, random) => stream.write(body(random)),
  ({ stream }) => stream.sendHead({ status: 200, headers: [] }),
  ({ stream }, random) => stream.end(random(3) === 0 ? ['X-Last', 'one'] : []),
  ({ stream }, random) => stream.consume(random(stream.bufferedBytes + 1)),
  (owner) => owner.read(),
  ({ stream }) => stream.reset(ErrorCode.Cancel, 'gone'),
  ({ stream }) => stream.refuse(ErrorCode.Overload, 'no'),
];

/** What owners do meanwhile, and time. */
function act(end: GatewayEnd | AgentEnd, owners: Owner[], random: Random): void {
  if (random(4) === 0) end.clock.advance(random(3_000));
  if (end instanceof GatewayEnd && random(6) === 0) openSome(end, owners, random);
  if (end instanceof AgentEnd && random(6) === 0) end.announce({ ordinary: 1 });
  if (random(30) === 0) (end instanceof GatewayEnd ? end.gateway : end.agent).session.drain(ErrorCode.Draining, 'bye');
  if (owners.length === 0 || random(2) === 0) return;
  // Only agents answer and refuse.
  const usual = end instanceof AgentEnd ? ACTIONS : ACTIONS.filter((_, index) => index !== 1 && index !== 6);
  pick(usual, random)(pick(owners, random), random);
}
