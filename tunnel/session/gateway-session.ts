import { isDeepStrictEqual } from 'node:util';
import { ProtocolError } from '../errors.ts';
import { ErrorCode, FrameType } from '../wire/codes.ts';
import { type Document, type Goaway, type Hello, helloOf, type Slots } from '../wire/documents.ts';
import { encode } from '../wire/encode.ts';
import type { Frame } from '../wire/frame.ts';
import type { RequestHead } from '../wire/head.ts';
import { MAX_STREAM_ID } from '../wire/limits.ts';
import { Session, type SessionEnd, type SessionOptions } from './session.ts';
import { choose, DEFLATE, EXTRAS } from './settings.ts';
import type { Stream } from './stream.ts';

/** Free workers of one pool that a gateway believes in. */
const MAX_FREE_SLOTS = 65_536;

export interface GatewaySessionEvents {
  /** The handshake is complete: streams may be opened into the announced slots. */
  onReady(hello: Hello): void;
  /** Slots became free. */
  onSlots(): void;
  onHealth(document: Document): void;
  /** The agent leaves: no new streams here. */
  onLeaving(goaway: Goaway): void;
  /** Once, last. */
  onEnd(end: SessionEnd): void;
}

export interface GatewaySessionOptions extends SessionOptions {
  readonly sessionId: string;
  readonly replicaId: string;
  readonly gatewayVersion: string;
  readonly events: GatewaySessionEvents;
}

export type SlotPool = keyof Slots;

/** The gateway's end: opens streams into slots that the agent announced. */
export class GatewaySession {
  readonly id: string;
  readonly session: Session;
  readonly #gateway: GatewaySessionOptions;
  readonly #free = { ordinary: 0, longRunning: 0 };
  readonly #running = { ordinary: 0, longRunning: 0 };
  readonly #poolOf = new WeakMap<Stream, SlotPool>();
  /**
   * Workers that the agent has, as far as its tunnel says. Slots that it announced before it had fewer are still ours: more of
   * them than it has workers would only wait there.
   */
  workers: Slots = { ordinary: Number.POSITIVE_INFINITY, longRunning: Number.POSITIVE_INFINITY };
  #features: readonly string[] = [];
  #configured: object | undefined;

  constructor(options: GatewaySessionOptions) {
    this.session = new Session(options, {
      receive: (frame) => this.#receive(frame),
      leaving: (goaway) => this.#leaving(goaway),
      forgotten: (stream) => this.#forgotten(stream),
      ended: (end) => options.events.onEnd(end),
    });
    this.id = options.sessionId;
    this.#gateway = options;
  }

  /** Free slots of the agent's pool as far as we know; never more than are really free. */
  freeSlots(pool: SlotPool): number {
    return this.#free[pool];
  }

  /** Greeted, and neither end leaves. */
  get isOpen(): boolean {
    return this.session.state === 'open';
  }

  /** How many streams more may be open here at once. */
  get streamsLeft(): number {
    return Math.max(0, this.session.settings.maxStreams - this.session.streams.size);
  }

  /** Whether a request of this pool may be opened now. */
  hasRoom(pool: SlotPool): boolean {
    const hasWorker = this.#free[pool] > 0 && this.#running[pool] < this.workers[pool];
    return this.isOpen && hasWorker && this.streamsLeft > 0;
  }

  /**
   * Opens a stream for a request. The caller attaches its events before the next turn.
   * undefined: no slot, too many streams, no reserve in the budget, or the session is leaving.
   * @throws RangeError, before anything is taken, for a head that cannot be sent: too long, or not what the wire can carry.
   */
  open(head: RequestHead, isEnd: boolean): Stream | undefined {
    const pool = head.isLongRunning ? 'longRunning' : 'ordinary';
    if (!this.hasRoom(pool) || this.session.streams.lastId >= MAX_STREAM_ID) return undefined;
    // Asked first: who waits for memory is asked often, and encoding is work.
    if (!this.session.budget.hasReserve) return undefined;
    const streamId = this.session.streams.lastId + 1;
    const frame = encode({ type: FrameType.Open, streamId, isEnd, head: this.#sendable(head) });
    if (!this.session.budget.reserve()) return undefined;
    this.session.streams.see(streamId);
    const stream = this.session.admit(streamId, 'local');
    this.#free[pool] -= 1;
    this.#running[pool] += 1;
    this.#poolOf.set(stream, pool);
    if (head.isUpgrade) stream.expectUpgrade();
    stream.sendFrame(frame);
    if (isEnd) stream.endSilently();
    return stream;
  }

  /** Sends limits and timeouts, unless they are what it sent last; an older generation is ignored by the agent. */
  configure(document: object): void {
    const isListening = this.session.state === 'open' || this.session.state === 'draining';
    if (!isListening || isDeepStrictEqual(document, this.#configured)) return;
    this.#configured = document;
    this.session.document(FrameType.Config, document);
  }

  /** Extras are left out for an agent that could not read them. */
  #sendable(head: RequestHead): RequestHead {
    if (head.identity?.extras === undefined || this.#features.includes(EXTRAS)) return head;
    const { extras: _, ...identity } = head.identity;
    return { ...head, identity };
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.Hello:
        return this.#receiveHello(frame.document);
      case FrameType.Head:
        if (frame.head.isDeflated && !this.#features.includes(DEFLATE)) {
          throw new ProtocolError('a deflated answer without the feature deflate');
        }
        return this.session.streams.receive(frame);
      case FrameType.Refused:
        return this.session.streams.receive(frame);
      case FrameType.Slots:
        this.#receiveSlots(frame.slots);
        return this.#gateway.events.onSlots();
      case FrameType.Health:
        return this.#gateway.events.onHealth(frame.document);
      default:
        throw new ProtocolError(`an agent does not send frame type ${frame.type}`);
    }
  }

  /** No agent has that many workers; and a SLOTS that adds none says nothing. */
  #receiveSlots({ ordinary, longRunning }: Slots): void {
    if (ordinary + longRunning === 0) throw new ProtocolError('SLOTS that announces none');
    this.#free.ordinary += ordinary;
    this.#free.longRunning += longRunning;
    const most = Math.max(this.#free.ordinary, this.#free.longRunning);
    if (most > MAX_FREE_SLOTS)
      throw new ProtocolError(`${most} free slots, allowed ${MAX_FREE_SLOTS}`, ErrorCode.Abuse);
  }

  #leaving(goaway: Goaway): void {
    this.session.streams.failBeyond(goaway.lastStreamId, goaway.reason);
    this.#gateway.events.onLeaving(goaway);
  }

  /** A stream whose OPEN never left us spent no slot at the agent. Where we were at our own bounds, there is room now. */
  #forgotten(stream: Stream): void {
    const pool = this.#poolOf.get(stream);
    if (pool === undefined) return;
    const { size } = this.session.streams;
    const wasFull = this.#running[pool] >= this.workers[pool] || size + 1 >= this.session.settings.maxStreams;
    this.#running[pool] -= 1;
    if (stream.isKnownToPeer && !wasFull) return;
    if (!stream.isKnownToPeer) this.#free[pool] += 1;
    queueMicrotask(() => {
      if (!this.session.isClosed) this.#gateway.events.onSlots();
    });
  }

  #receiveHello(document: Document): void {
    const hello = helloOf(document);
    const { sessionId, replicaId, gatewayVersion } = this.#gateway;
    const chosen = choose(hello);
    this.#features = chosen.features;
    if (hello.slots.ordinary + hello.slots.longRunning > 0) this.#receiveSlots(hello.slots);
    this.session.document(FrameType.Welcome, { ...chosen, sessionId, replicaId, gatewayVersion });
    this.session.advance('greeted');
    this.#gateway.events.onReady(hello);
  }
}
