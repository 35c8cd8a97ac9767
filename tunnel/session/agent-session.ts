import { ProtocolError } from '../errors.ts';
import { ErrorCode, FrameType } from '../wire/codes.ts';
import {
  type Document,
  type Goaway,
  type Hello,
  type Previous,
  type Slots,
  type Welcome,
  welcomeOf,
} from '../wire/documents.ts';
import { encode } from '../wire/encode.ts';
import type { Frame } from '../wire/frame.ts';
import type { RequestHead } from '../wire/head.ts';
import { Session, type SessionEnd, type SessionOptions } from './session.ts';
import { EXTRAS, VERSIONS } from './settings.ts';
import type { Stream } from './stream.ts';

export interface AgentSessionEvents {
  /** The handshake is complete. */
  onReady(welcome: Welcome): void;
  /** A request. Attach the stream's events before returning, or refuse it. Its slot is announced again by the owner. */
  onStream(stream: Stream, head: RequestHead): void;
  onConfig(document: Document): void;
  /** The gateway leaves: dial the next session, then drain this one. */
  onLeaving(goaway: Goaway): void;
  /** Once, last. */
  onEnd(end: SessionEnd): void;
}

export interface AgentSessionOptions extends SessionOptions {
  readonly hello: Hello;
  readonly events: AgentSessionEvents;
}

/** The agent's end: greets first, serves the streams that the gateway opens. */
export class AgentSession {
  readonly session: Session;
  readonly #agent: AgentSessionOptions;
  #sessionId: string | undefined;
  #features: readonly string[] = [];

  constructor(options: AgentSessionOptions) {
    this.session = new Session(options, {
      receive: (frame) => this.#receive(frame),
      leaving: (goaway) => options.events.onLeaving(goaway),
      forgotten: () => {},
      ended: (end) => options.events.onEnd(end),
    });
    this.#agent = options;
  }

  /** What the next HELLO says of this session; undefined unless it was lost after its greeting. */
  get previous(): Previous | undefined {
    if (this.#sessionId === undefined || !this.session.isLost) return undefined;
    return { sessionId: this.#sessionId, lastStreamId: this.session.streams.lastId };
  }

  /** Sends HELLO and starts to receive. */
  greet(): void {
    this.session.document(FrameType.Hello, this.#agent.hello);
    this.session.listen();
  }

  /** Whether the gateway chose this feature, and we had offered it. */
  hasFeature(name: string): boolean {
    return this.#features.includes(name) && this.#agent.hello.features.includes(name);
  }

  /** Announces worker slots that became free. */
  announce(slots: Slots): void {
    if (!this.session.isClosed) this.session.writer.slots(slots);
  }

  health(document: object): void {
    if (this.session.state === 'open' || this.session.state === 'draining')
      this.session.document(FrameType.Health, document);
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.Welcome:
        return this.#receiveWelcome(frame.document);
      case FrameType.Open:
        return this.#receiveOpen(frame);
      case FrameType.Config:
        return this.#agent.events.onConfig(frame.document);
      default:
        throw new ProtocolError(`a gateway does not send frame type ${frame.type}`);
    }
  }

  #receiveWelcome(document: Document): void {
    const welcome = welcomeOf(document);
    if (!VERSIONS.includes(welcome.version)) {
      throw new ProtocolError(`the gateway chose version ${welcome.version}`, ErrorCode.Version);
    }
    this.#features = welcome.features;
    this.session.advance('greeted');
    this.#sessionId = welcome.sessionId;
    this.#agent.events.onReady(welcome);
  }

  #receiveOpen({ streamId, isEnd, head }: Extract<Frame, { type: typeof FrameType.Open }>): void {
    if (head.identity?.extras !== undefined && !this.hasFeature(EXTRAS)) {
      throw new ProtocolError('an identity with extras without the feature extras');
    }
    this.session.streams.see(streamId);
    const trouble = this.#cannotAdmit(streamId);
    if (trouble !== undefined) {
      if (trouble.code === ErrorCode.Overload) this.session.vitals.charge('refusedOpen');
      this.session.writer.control(encode({ type: FrameType.Refused, streamId, ...trouble }));
      // The owner never hears of this stream, so its slot is free again by our word.
      this.announce({ ordinary: head.isLongRunning ? 0 : 1, longRunning: head.isLongRunning ? 1 : 0 });
      return;
    }
    const stream = this.session.admit(streamId, 'remote');
    this.#agent.events.onStream(stream, head);
    if (isEnd) stream.receiveEnd([]);
  }

  /** Why no stream can be admitted; takes the reserve when one can. */
  #cannotAdmit(streamId: number): { code: ErrorCode; detail: string } | undefined {
    if (!this.session.admits(streamId)) return { code: ErrorCode.Draining, detail: 'the session is draining' };
    if (this.session.streams.size >= this.session.settings.maxStreams) {
      return { code: ErrorCode.Overload, detail: `${this.session.settings.maxStreams} streams are open` };
    }
    if (!this.session.budget.reserve()) {
      return { code: ErrorCode.Overload, detail: `${this.session.budget.limitBytes} bytes of buffers are taken` };
    }
    return undefined;
  }
}
