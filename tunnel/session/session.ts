import { ProtocolError } from '../errors.ts';
import { abuseKindOf } from '../flow/abuse.ts';
import type { Budget } from '../flow/budget.ts';
import { ErrorCode, FrameType, nameOf } from '../wire/codes.ts';
import { decodeMessage } from '../wire/decode.ts';
import { type Document, type Goaway, goawayOf } from '../wire/documents.ts';
import { encode } from '../wire/encode.ts';
import type { Frame } from '../wire/frame.ts';
import { MAX_STREAM_ID } from '../wire/limits.ts';
import type { SessionCounts, SessionEnd, SessionOptions, SessionRole } from './role.ts';
import { advanceSession, type SessionEvent, type SessionState } from './session-state.ts';
import type { SessionSettings } from './settings.ts';
import { sharedSlabs } from './slabs.ts';
import { Stream } from './stream.ts';
import type { StreamPort } from './stream-port.ts';
import { Streams } from './streams.ts';
import { Vitals } from './vitals.ts';
import { Writer } from './writer.ts';

/** No goodbye, though a GOAWAY says it: who fell silent does not hear it, and who was replaced speaks elsewhere already. */
const UNHEARD: ReadonlySet<ErrorCode> = new Set([ErrorCode.Silent, ErrorCode.Replaced]);

export type { SessionCounts, SessionEnd, SessionOptions, SessionRole } from './role.ts';

/**
 * Many streams over one transport: what both ends have in common.
 *
 *   gateway                             agent
 *      |  <------------- HELLO            |   within 5 s of the upgrade
 *      |  WELCOME, CONFIG ------------->  |   open
 *      |  OPEN, DATA… ----------------->  |
 *      |  <----- HEAD, DATA…, END, SLOTS  |
 *      |  <---------------------- GOAWAY  |   draining: running streams finish
 *
 * GatewaySession and AgentSession bring the role: which frames that end may receive and what they mean.
 */
export class Session {
  readonly streams = new Streams();
  readonly writer: Writer;
  readonly vitals: Vitals;
  readonly #role: SessionRole;
  readonly #port: StreamPort<Stream>;
  readonly #options: SessionOptions;
  #settings: SessionSettings;
  #state: SessionState = 'greeting';
  #isListening = false;
  /** Streams beyond it are not admitted any more; lowered by the GOAWAY of either end. */
  #lastAdmittedId = MAX_STREAM_ID;
  /** A GOAWAY went one way or the other. */
  #hasFarewell = false;
  #end: SessionEnd = { code: ErrorCode.None, reason: 'the connection closed' };

  constructor(options: SessionOptions, role: SessionRole) {
    const { transport, clock, random, settings, slabs = sharedSlabs } = options;
    this.#options = options;
    this.#role = role;
    this.#settings = settings;
    const onDead = (error: ProtocolError) => this.fail(error);
    this.vitals = new Vitals({
      clock,
      random,
      pingIntervalMs: () => this.#settings.pingIntervalMs,
      ping: (token) => this.writer.control(encode({ type: FrameType.Ping, token })),
      onDead,
    });
    this.writer = new Writer({
      transport,
      slabs,
      clock: this.vitals.deadlines,
      deadlines: () => this.#settings,
      onDead,
    });
    this.#port = this.#streamPort();
  }

  get budget(): Budget {
    return this.#options.budget;
  }

  get state(): SessionState {
    return this.#state;
  }

  get settings(): SessionSettings {
    return this.#settings;
  }

  /** New bounds, live. Running streams keep what they have. */
  set settings(settings: SessionSettings) {
    this.#settings = settings;
  }

  get counts(): SessionCounts {
    return { ...this.streams.bytes, streams: this.streams.size, controlFrames: this.writer.waiting.control };
  }

  /** Starts to receive. Separate from the constructor so that the owner can finish its own first. */
  listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#options.transport.listen({
      onBytes: () => this.vitals.heard(),
      onMessage: (message) => this.#receive(message),
      onViolation: (what) => this.fail(new ProtocolError(what)),
      onClose: (reason, code) => this.#closed(reason, code),
    });
  }

  /** Accepts no new streams; running ones finish, then the session closes. */
  drain(code: ErrorCode, reason: string): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'greeting') return this.close(code, reason);
    if (this.#state === 'open') this.#end = { code, reason };
    this.#lastAdmittedId = Math.min(this.#lastAdmittedId, this.streams.lastId);
    this.#hasFarewell = true;
    this.goaway(code, reason);
    this.advance('goaway');
    this.#closeIfDrained();
  }

  /** Says goodbye and closes now; running streams are lost. Who fell silent would not answer: that connection is cut. */
  close(code: ErrorCode, reason: string): void {
    if (this.#state === 'closed') return;
    this.#end = { code, reason };
    if (!UNHEARD.has(code)) this.#hasFarewell = true;
    this.goaway(code, reason);
    this.writer.lastWords();
    if (code === ErrorCode.Silent) this.#options.transport.destroy();
    else this.#options.transport.close(reason);
    this.#closed(reason);
  }

  /** The peer broke a rule or fell silent. */
  fail(error: ProtocolError): void {
    this.close(error.code, error.message);
  }

  /** @throws ProtocolError when the event is illegal now. */
  advance(event: SessionEvent): void {
    const next = advanceSession(this.#state, event);
    if (next === undefined) throw new ProtocolError(`${event} while ${this.#state}`);
    this.#state = next;
    if (event === 'greeted') {
      this.vitals.greeted();
    }
  }

  document(
    type: typeof FrameType.Hello | typeof FrameType.Welcome | typeof FrameType.Health | typeof FrameType.Config,
    document: object,
  ): void {
    this.writer.control(encode({ type, document: document as Document }));
  }

  /** Whether a stream of this id may still be admitted. What the peer opened before it left is served. */
  admits(id: number): boolean {
    return id <= this.#lastAdmittedId;
  }

  /** A stream of our own or of the peer; its id was seen and its reserve taken just before. */
  admit(id: number, openedBy: 'local' | 'remote'): Stream {
    const stream = new Stream(id, this.#port, openedBy);
    this.streams.add(stream);
    return stream;
  }

  goaway(code: ErrorCode, reason: string): void {
    const document = { lastStreamId: this.streams.lastId, code, reason: reason.slice(0, 200) };
    this.writer.control(encode({ type: FrameType.Goaway, document }));
  }

  #receive(message: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.vitals.heard();
    try {
      decodeMessage(
        message,
        (frame) => this.#dispatch(frame),
        () => this.vitals.charge('unknownType'),
      );
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(error);
    }
  }

  #dispatch(frame: Frame): void {
    if (this.isClosed) return;
    const isGreeting = frame.type === FrameType.Hello || frame.type === FrameType.Welcome;
    if (isGreeting !== (this.#state === 'greeting') && frame.type !== FrameType.Goaway) {
      throw new ProtocolError(`frame type ${frame.type} while ${this.#state}`);
    }
    const kind = abuseKindOf(frame);
    if (kind !== undefined) this.vitals.charge(kind);
    switch (frame.type) {
      case FrameType.Ping:
        return this.writer.control(encode({ type: FrameType.Pong, token: frame.token }));
      case FrameType.Pong:
        return this.vitals.pong(frame.token);
      case FrameType.Goaway:
        return this.#receiveGoaway(goawayOf(frame.document));
      case FrameType.Data:
      case FrameType.Trailers:
      case FrameType.Window:
      case FrameType.Reset:
        return this.streams.receive(frame);
      default:
        return this.#role.receive(frame);
    }
  }

  #receiveGoaway(goaway: Goaway): void {
    if (goaway.code === ErrorCode.Silent) return this.#givenUp(goaway);
    this.#hasFarewell = true;
    if (this.#state === 'greeting') {
      this.#end = { code: goaway.code, reason: goaway.reason };
      this.#options.transport.close(goaway.reason);
      return this.#closed(goaway.reason);
    }
    this.#end = { code: goaway.code, reason: goaway.reason === '' ? nameOf(goaway.code) : goaway.reason };
    this.#lastAdmittedId = Math.min(this.#lastAdmittedId, goaway.lastStreamId);
    this.advance('goaway');
    this.#role.leaving(goaway);
    this.#closeIfDrained();
  }

  /** The peer took us for silent and has cut the connection: these words may come or not, and the session is lost either way. */
  #givenUp({ lastStreamId, reason }: Goaway): void {
    this.#end = { code: ErrorCode.Silent, reason };
    this.streams.failBeyond(lastStreamId, reason);
    this.#options.transport.destroy();
    this.#closed(reason);
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** It ended without a word: neither end knows what the other has seen. */
  get isLost(): boolean {
    return this.isClosed && !this.#hasFarewell;
  }

  /** Not before the streams that the leaving peer opened last have come: they are behind its GOAWAY. */
  #closeIfDrained(): void {
    if (this.#state !== 'draining' || this.streams.size > 0 || this.streams.lastId < this.#lastAdmittedId) return;
    this.writer.lastWords();
    this.#options.transport.close(this.#end.reason);
    this.#closed(this.#end.reason);
  }

  #closed(reason: string, code: ErrorCode = ErrorCode.None): void {
    if (this.#state === 'closed') return;
    this.advance('closed');
    this.vitals.stop();
    this.writer.close();
    const end = this.#end.code === ErrorCode.None ? { code, reason } : this.#end;
    this.streams.failAll(end.reason);
    this.#role.ended(end);
  }

  #streamPort(): StreamPort<Stream> {
    return {
      budget: this.#options.budget,
      growthFacts: () => ({
        nowMs: this.vitals.deadlines.nowMs(),
        minRttMs: this.vitals.minRttMs,
        maxBytes: this.#settings.maxWindowBytes,
      }),
      after: (delayMs, run) => this.vitals.deadlines.after(delayMs, run),
      wake: (stream) => this.writer.wake(stream.outbox),
      credit: (streamId, bytes) => this.writer.credit(streamId, bytes),
      credited: (stream, bytes) => this.writer.credited(stream.outbox, bytes),
      control: (frame) => this.writer.control(frame),
      forget: (stream) => {
        this.writer.remove(stream.id, stream.outbox);
        this.streams.remove(stream);
        this.#role.forgotten(stream);
        queueMicrotask(() => this.#closeIfDrained());
      },
    };
  }
}
