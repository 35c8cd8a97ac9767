import type { Clock } from '../process/clock.ts';
import type { Logger } from '../process/log.ts';
import { nextTrace, type Trace, traceFields } from '../process/trace.ts';
import { VERSION } from '../process/version.ts';
import type { Budget } from '../tunnel/flow/budget.ts';
import { AgentSession, type AgentSessionEvents } from '../tunnel/session/agent-session.ts';
import { DEFLATE, FEATURES, VERSIONS } from '../tunnel/session/settings.ts';
import type { Stream } from '../tunnel/session/stream.ts';
import type { Transport } from '../tunnel/session/transport.ts';
import { ErrorCode, nameOf } from '../tunnel/wire/codes.ts';
import type { Hello } from '../tunnel/wire/documents.ts';
import type { RequestHead } from '../tunnel/wire/head.ts';
import type { ExchangeEnd, ForwardContext } from '../upstream/exchange-options.ts';
import { Exchange } from '../upstream/forward.ts';
import { denial } from '../upstream/policy.ts';
import { type DeflatedBytes, Deflation } from './deflation.ts';
import { type Limits, sessionSettings } from './limits.ts';
import { SessionSlots, type WorkerPools } from './session-slots.ts';
import type { Place } from './worker-pool.ts';

export interface ServerOptions {
  readonly context: ForwardContext;
  readonly pools: WorkerPools;
  readonly limits: Limits;
  readonly budget: Budget;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** New for every process: tells a reconnect from a restart. */
  readonly instanceId: string;
  /** `workedMs`: how long a worker had it; undefined: none had, or it was a long-running one. */
  readonly onExchangeEnd: (end: ExchangeEnd, workedMs?: number) => void;
  readonly onDeflated: (bytes: DeflatedBytes) => void;
  /** Bytes per second of a session's link, undefined if not known; measured by its writer unless told. */
  readonly linkSpeed?: (session: AgentSession) => number | undefined;
}

/** Which of the process's connections a session is, and what is known of the one that it had before. */
export type Introduction = Required<Pick<Hello, 'connection' | 'previous'>>;

/** What the dialer wants to hear of a session. */
export type DialEvents = Pick<AgentSessionEvents, 'onReady' | 'onLeaving' | 'onEnd'>;

/** A request that came, and when. */
interface Began {
  readonly head: RequestHead;
  readonly trace: Trace;
  readonly startedMs: number;
  /** When a worker took it; undefined: none did. */
  workedSinceMs: number | undefined;
}

/** Serves what gateways send: stream → policy → worker → upstream. */
export class Server {
  readonly #options: ServerOptions;
  readonly #deflation: Deflation;
  #lastAnswerMs: number | undefined;
  #endedStarvedMs = 0;
  readonly #sessions = new Set<AgentSession>();

  constructor(options: ServerOptions) {
    const { budget, limits, onDeflated } = options;
    this.#options = options;
    this.#deflation = new Deflation({ budget, settings: () => limits.current.compression, onDeflated });
  }

  /** Answers that are being deflated. */
  get deflating(): number {
    return this.#deflation.running;
  }

  /** How long streams had bytes and no credit, over all sessions there were. */
  get starvedMs(): number {
    return [...this.#sessions].reduce((sum, { session }) => sum + session.writer.starvedMs, this.#endedStarvedMs);
  }

  /** Monotonic: when the API server last answered a request well; undefined if never. */
  get lastAnswerMs(): number | undefined {
    return this.#lastAnswerMs;
  }

  /** A session on an open transport; `greet` starts it. */
  open(transport: Transport, introduction: Introduction, dial: DialEvents): AgentSession {
    const { clock, budget, random, limits, pools, instanceId } = this.#options;
    const slots = new SessionSlots(pools, (free) => session.announce(free));
    const hello = {
      versions: VERSIONS,
      features: FEATURES,
      instanceId,
      agentVersion: VERSION,
      slots: slots.join(),
      ...introduction,
    };
    const session: AgentSession = new AgentSession({
      transport,
      clock,
      budget,
      random,
      settings: sessionSettings(limits.current),
      hello,
      events: {
        onReady: (welcome) => dial.onReady(welcome),
        onStream: (stream, head) => this.#accept(session, slots, stream, head),
        onConfig: (document) => this.#configure(document),
        onLeaving: (goaway) => {
          slots.leave();
          dial.onLeaving(goaway);
        },
        onEnd: (end) => {
          slots.forget();
          this.#sessions.delete(session);
          this.#endedStarvedMs += session.session.writer.starvedMs;
          dial.onEnd(end);
        },
      },
    });
    this.#sessions.add(session);
    return session;
  }

  #accept(session: AgentSession, slots: SessionSlots, stream: Stream, head: RequestHead): void {
    const pool = head.isLongRunning ? 'longRunning' : 'ordinary';
    const { context, clock, linkSpeed = measuredSpeed } = this.#options;
    const { identity } = head;
    const trace = nextTrace(head.traceId, head.headers);
    const began: Began = { head, trace, startedMs: clock.nowMs(), workedSinceMs: undefined };
    const reason = denial(head, this.#options.limits.current.access);
    if (reason !== undefined) {
      slots.refuse(pool);
      stream.refuse(ErrorCode.PolicyDenied, reason);
      const nothing = { status: undefined, bytesIn: 0, bytesOut: 0 };
      return this.#ended(began, { code: ErrorCode.PolicyDenied, detail: reason, ...nothing });
    }
    let place: Place | undefined;
    const exchange = new Exchange({
      stream,
      head,
      trace,
      identity,
      context,
      deflate: (answer, events) => {
        const link = { isOffered: session.hasFeature(DEFLATE), bytesPerSecond: linkSpeed(session) };
        return this.#deflation.begin(stream, { request: head, answer, ...link }, events);
      },
      onGone: (end) => {
        place?.release();
        this.#ended(began, end);
      },
    });
    // start() never rejects: what goes wrong is told on the stream.
    place = slots.take(pool, () => {
      began.workedSinceMs = clock.nowMs();
      void exchange.start();
    });
    if (place === undefined)
      exchange.refuse(ErrorCode.Overload, 'no worker is free and the queue of the agent is full');
  }

  #ended({ head, trace, startedMs, workedSinceMs }: Began, end: ExchangeEnd): void {
    const { clock, log, onExchangeEnd } = this.#options;
    const nowMs = clock.nowMs();
    const isMeasured = workedSinceMs !== undefined && !head.isLongRunning;
    const workedMs = isMeasured ? nowMs - workedSinceMs : undefined;
    if (isGoodAnswer(end)) this.#lastAnswerMs = nowMs;
    onExchangeEnd(end, workedMs);
    log[trace.isFollowed || isTrouble(end) ? 'info' : 'debug']('exchange ended', {
      ...traceFields(trace),
      method: head.method,
      path: head.path.split('?', 1)[0],
      user: head.identity?.user,
      status: end.status,
      code: nameOf(end.code),
      detail: end.detail,
      durationMs: Math.round(nowMs - startedMs),
      bytesIn: end.bytesIn,
      bytesOut: end.bytesOut,
    });
  }

  #configure(document: unknown): void {
    const { limits, log } = this.#options;
    try {
      const applied = limits.apply(document);
      log[applied === 'applied' ? 'info' : 'debug']('limits received', {
        applied,
        generation: limits.current.generation,
      });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      log.warn('limits ignored', { error });
    }
  }
}

/** Whether an exchange did not go as it should; that its client or its session left says nothing of it. */
function isTrouble({ code }: ExchangeEnd): boolean {
  return code !== ErrorCode.None && code !== ErrorCode.Cancel && code !== ErrorCode.SessionLost;
}

function measuredSpeed({ session }: AgentSession): number | undefined {
  return session.writer.bytesPerSecond;
}

/**
 * Whether an exchange shows that users get through, now that it ends. A 403 does not: the agent itself may lack the right to
 * impersonate. Nor does one that broke off: its head may be hours old.
 */
function isGoodAnswer({ code, status }: ExchangeEnd): boolean {
  return code === ErrorCode.None && status !== undefined && status < 500 && status !== 401 && status !== 403;
}
