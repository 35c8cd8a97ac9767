import { expect } from 'chai';
import type { StreamError } from '../../tunnel/errors.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import { AgentSession } from '../../tunnel/session/agent-session.ts';
import { GatewaySession } from '../../tunnel/session/gateway-session.ts';
import type { SessionEnd } from '../../tunnel/session/session.ts';
import { DEFAULT_SETTINGS, type SessionSettings } from '../../tunnel/session/settings.ts';
import { Slabs } from '../../tunnel/session/slabs.ts';
import type { Stream, StreamEvents } from '../../tunnel/session/stream.ts';
import type { Transport } from '../../tunnel/session/transport.ts';
import { FrameType } from '../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../tunnel/wire/decode.ts';
import type { Document, Goaway, Hello, Slots, Welcome } from '../../tunnel/wire/documents.ts';
import { encode, packMessage } from '../../tunnel/wire/encode.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';
import type { RawHeaders, RequestHead, ResponseHead } from '../../tunnel/wire/head.ts';
import { MESSAGE_TARGET_BYTES } from '../../tunnel/wire/limits.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Two joined transports, and how to know that nothing moves between them. */
export interface Line {
  readonly gateway: Transport;
  readonly agent: Transport;
  /** Resolves once everything that was sent has arrived and was answered. */
  settle(): Promise<void>;
  /** Cuts the connection under both. */
  drop(): void;
}

export const HELLO: Hello = {
  versions: [1],
  features: [],
  instanceId: 'instance',
  agentVersion: '0.1.0',
  slots: { ordinary: 8, longRunning: 8 },
};

export const GET: RequestHead = {
  method: 'GET',
  path: '/api/v1/pods',
  headers: ['Accept', 'application/json'],
  identity: { user: 'jane', uid: '', groups: ['dev'] },
  traceId: 'trace',
  deadlineMs: 30_000,
  isLongRunning: false,
  isUpgrade: false,
};

export const OK: ResponseHead = { status: 200, headers: ['Content-Type', 'text/plain'] };
const BUDGET_BYTES = 64 * 1024 * 1024;

/** Everything an owner of a stream hears, in order. */
export class Owner implements StreamEvents {
  readonly stream: Stream;
  readonly heads: ResponseHead[] = [];
  readonly chunks: Buffer[] = [];
  trailers: RawHeaders | undefined;
  ends = 0;
  drains = 0;
  closes = 0;
  readonly errors: StreamError[] = [];
  /** Gives credit back at once. */
  isReading = true;
  /** What else to do with each chunk. */
  onChunk: (chunk: Uint8Array) => void = () => {};

  constructor(stream: Stream) {
    this.stream = stream;
    stream.attach(this);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** The only error. */
  get error(): StreamError {
    expect(this.errors, 'errors of the stream').to.have.length(1);
    return this.errors[0] as StreamError;
  }

  /** Gives back all that was not. */
  read(): void {
    this.stream.consume(this.stream.bufferedBytes);
  }

  onHead(head: ResponseHead): void {
    this.#alive();
    this.heads.push(head);
  }

  onData(chunk: Uint8Array): void {
    this.#alive();
    this.chunks.push(Buffer.from(chunk));
    if (this.isReading) this.stream.consume(chunk.length);
    this.onChunk(chunk);
  }

  onEnd(trailers: RawHeaders): void {
    this.#alive();
    this.trailers = trailers;
    this.ends += 1;
  }

  onError(error: StreamError): void {
    this.#alive();
    this.errors.push(error);
  }

  onDrain(): void {
    this.#alive();
    this.drains += 1;
  }

  onClose(): void {
    this.#alive();
    this.closes += 1;
  }

  #alive(): void {
    expect(this.closes, 'nothing is called after onClose').to.equal(0);
  }
}

export interface EndOptions {
  readonly budget?: Budget;
  readonly settings?: Partial<SessionSettings>;
  readonly hello?: Partial<Hello>;
}

/** A gateway's end with everything it heard. */
export class GatewayEnd {
  readonly clock = new ManualClock();
  readonly budget: Budget;
  readonly gateway: GatewaySession;
  readonly readies: Hello[] = [];
  readonly leavings: Goaway[] = [];
  readonly healths: Document[] = [];
  readonly ends: SessionEnd[] = [];
  slotNews = 0;

  constructor(transport: Transport, { budget = new Budget(BUDGET_BYTES), settings }: EndOptions = {}) {
    this.budget = budget;
    this.gateway = new GatewaySession({
      transport,
      clock: this.clock,
      budget,
      settings: { ...DEFAULT_SETTINGS, ...settings },
      random: () => 0.5,
      slabs: new Slabs({ isPoisoned: true }),
      sessionId: 'session',
      replicaId: 'replica',
      gatewayVersion: '0.1.0',
      events: {
        onReady: (hello) => this.#alive().readies.push(hello),
        onSlots: () => {
          this.#alive().slotNews += 1;
        },
        onHealth: (document) => this.#alive().healths.push(document),
        onLeaving: (goaway) => this.#alive().leavings.push(goaway),
        onEnd: (end) => this.#alive().ends.push(end),
      },
    });
    this.gateway.session.listen();
  }

  get end(): SessionEnd {
    expect(this.ends, 'ends of the gateway session').to.have.length(1);
    return this.ends[0] as SessionEnd;
  }

  open(head: Partial<RequestHead> = {}, isEnd = false): Owner {
    const stream = this.gateway.open({ ...GET, ...head }, isEnd);
    if (stream === undefined) throw new Error('no room for a stream');
    return new Owner(stream);
  }

  #alive(): this {
    expect(this.ends, 'nothing is called after onEnd').to.have.length(0);
    return this;
  }
}

/** An agent's end with everything it heard. */
export class AgentEnd {
  readonly clock = new ManualClock();
  readonly budget: Budget;
  readonly agent: AgentSession;
  readonly readies: Welcome[] = [];
  readonly leavings: Goaway[] = [];
  readonly configs: Document[] = [];
  readonly ends: SessionEnd[] = [];
  readonly owners: Owner[] = [];
  readonly heads: RequestHead[] = [];
  /** What to do with a request besides keeping its owner. */
  serve: (owner: Owner, head: RequestHead) => void = () => {};

  constructor(transport: Transport, { budget = new Budget(BUDGET_BYTES), settings, hello }: EndOptions = {}) {
    this.budget = budget;
    this.agent = new AgentSession({
      transport,
      clock: this.clock,
      budget,
      settings: { ...DEFAULT_SETTINGS, ...settings },
      random: () => 0.5,
      slabs: new Slabs({ isPoisoned: true }),
      hello: { ...HELLO, ...hello },
      events: {
        onReady: (welcome) => this.#alive().readies.push(welcome),
        onStream: (stream, head) => {
          const owner = new Owner(stream);
          this.#alive().owners.push(owner);
          this.heads.push(head);
          this.serve(owner, head);
        },
        onConfig: (document) => this.#alive().configs.push(document),
        onLeaving: (goaway) => this.#alive().leavings.push(goaway),
        onEnd: (end) => this.#alive().ends.push(end),
      },
    });
    this.agent.greet();
  }

  get end(): SessionEnd {
    expect(this.ends, 'ends of the agent session').to.have.length(1);
    return this.ends[0] as SessionEnd;
  }

  /** The request that came last. */
  get last(): Owner {
    const owner = this.owners.at(-1);
    if (owner === undefined) throw new Error('no request came');
    return owner;
  }

  announce(slots: Partial<Slots>): void {
    this.agent.announce({ ordinary: 0, longRunning: 0, ...slots });
  }

  #alive(): this {
    expect(this.ends, 'nothing is called after onEnd').to.have.length(0);
    return this;
  }
}

/** A peer that speaks frames and keeps no rules. */
export class Stranger {
  readonly #transport: Transport;
  readonly heard: Frame[] = [];
  closeReason: string | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.listen({
      onBytes: () => {},
      onMessage: (message) => decodeMessage(message, (frame) => this.heard.push(frame)),
      onViolation: (what) => {
        throw new Error(what);
      },
      onClose: (reason) => {
        this.closeReason = reason;
      },
    });
  }

  /** Frames in one message. */
  say(...frames: readonly Frame[]): void {
    this.sayBytes(packMessage(frames.map(encode)));
  }

  sayBytes(message: Uint8Array): void {
    this.#transport.send(message, () => {});
  }

  /** The same frame many times, packed like a writer would. */
  flood(frame: Frame, times: number): void {
    const bytes = packMessage([encode(frame)]);
    const perMessage = Math.max(1, Math.floor(MESSAGE_TARGET_BYTES / bytes.length));
    for (let left = times; left > 0; left -= perMessage) {
      this.sayBytes(Buffer.concat(Array.from({ length: Math.min(left, perMessage) }, () => bytes)));
    }
  }

  hello(hello: Partial<Hello> = {}): void {
    this.say({ type: FrameType.Hello, document: { ...HELLO, ...hello } });
  }

  welcome(): void {
    const document = { version: 1, features: [], sessionId: 's', replicaId: 'r', gatewayVersion: '0.1.0' };
    this.say({ type: FrameType.Welcome, document });
  }

  /** Frames of one type that were heard. */
  all<T extends Frame['type']>(type: T): Extract<Frame, { type: T }>[] {
    return this.heard.filter((frame): frame is Extract<Frame, { type: T }> => frame.type === type);
  }
}

/** Both ends are over: nothing is left of them, neither streams, queues, timers nor budget. */
export function expectNothingLeft(...ends: readonly (GatewayEnd | AgentEnd)[]): void {
  for (const end of ends) {
    const { session } = end instanceof GatewayEnd ? end.gateway : end.agent;
    expect(session.state).to.equal('closed');
    expect(session.counts).to.deep.equal({ streams: 0, queuedBytes: 0, bufferedBytes: 0, controlFrames: 0 });
    expect(end.clock.pending, 'timers').to.equal(0);
    expect(end.budget.usedBytes, 'budget').to.equal(0);
    expect(end.ends, 'onEnd').to.have.length(1);
  }
}

/** A gateway whose agent is a stranger that has greeted. */
export async function greetedByStranger(pair: () => Promise<Line>) {
  const line = await pair();
  const gateway = new GatewayEnd(line.gateway);
  const stranger = new Stranger(line.agent);
  stranger.hello();
  await line.settle();
  return { line, gateway, stranger };
}
