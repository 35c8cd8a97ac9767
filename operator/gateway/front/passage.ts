import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { Trace } from '../../../process/trace.ts';
import type { StreamError } from '../../../tunnel/errors.ts';
import { InflatedStream, type RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { Stream } from '../../../tunnel/session/stream.ts';
import type { RawHeaders, RequestHead } from '../../../tunnel/wire/head.ts';
import type { Admission } from '../admission/admit.ts';
import type { Breaker } from '../admission/breaker.ts';
import type { Rates } from '../admission/rates.ts';
import type { Replays, Ticket } from '../admission/replays.ts';
import type { Cache } from '../cache/cache.ts';
import type { CacheTurn } from '../cache/turn.ts';
import type { GatewayMeter } from '../meter.ts';
import type { ExchangeOutcome } from '../sessions/exchange-options.ts';
import { overheard } from '../sessions/overheard.ts';
import type { AgentLink } from '../sessions/registry.ts';
import { Resending } from '../sessions/resending.ts';
import { isRead, type Sent } from '../sessions/stream-fault.ts';
import type { Unsettled, UntilKnown } from '../sessions/unsettled.ts';
import { auditLine } from './audit.ts';
import type { Allowed } from './gate.ts';
import type { HubUser } from './identity.ts';
import type { LongStreams } from './long-streams.ts';
import type { TunnelError } from './tunnel-error.ts';

/** The gateway waits longer than the agent by this much, so that the hop that knows the cause speaks first. */
const MARGIN_MS = 10_000;

export interface PassageParts {
  readonly admission: Admission;
  readonly rates: Rates;
  readonly unsettled: Unsettled;
  readonly replays: Replays;
  readonly breaker: Pick<Breaker, 'sent'>;
  readonly cache: Pick<Cache, 'enter' | 'wrote'>;
  readonly longStreams: LongStreams;
  readonly meter: Pick<GatewayMeter, 'requestEnded'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A request that was let in. */
export interface Entered {
  readonly method: string;
  readonly trace: Trace;
  /** Of the client. */
  readonly address: string;
  /** When it came, before anybody looked at it. */
  readonly startedMs: number;
  readonly allowed: Allowed;
  /** Nothing was sent to the client yet: answer with this, which may name the tunnel. */
  readonly onError: (error: TunnelError) => void;
}

/** What of it goes to the agent. */
export interface Sending {
  readonly headers: RawHeaders;
  readonly isEnd: boolean;
  readonly isUpgrade: boolean;
}

/** An Exchange or an Upgrade. */
export interface Served {
  readonly isDone: boolean;
  /** `untilKnown`: whether the request ran may be known a moment after its session was lost; undefined: a read need not wait. */
  start(stream: RequestStream, untilKnown: UntilKnown | undefined, timeoutMs: number | undefined): void;
  refuse(error: TunnelError): void;
  revoke(error: TunnelError): void;
}

export interface Serving {
  readonly sent: Sent;
  readonly onDone: (outcome: ExchangeOutcome) => void;
  readonly again: (error: StreamError) => boolean;
}

/** One request's way: its rate, what is remembered, a place at a session (perhaps again at another), the audit line at the end. */
export class Passage {
  readonly #parts: PassageParts;
  readonly #entered: Entered;
  readonly #sending: Sending;
  readonly #isLongRunning: boolean;
  /** A read without a body: an open circuit may let one of those try the way. */
  readonly #mayProbe: boolean;
  readonly #enteredMs: number;
  readonly #requestMs: number;
  readonly #sent: Sent;
  readonly #turn: CacheTurn;
  readonly #ticket: Ticket;
  readonly #resending: Resending;
  readonly #served: Served;
  #leave: () => void = () => {};
  #forget: () => void = () => {};

  constructor(parts: PassageParts, entered: Entered, sending: Sending, serve: (serving: Serving) => Served) {
    const { method, allowed } = entered;
    const { route, view } = allowed;
    const { headers, isEnd, isUpgrade } = sending;
    this.#parts = parts;
    this.#entered = entered;
    this.#sending = sending;
    this.#isLongRunning = route.isLongRunning || isUpgrade;
    this.#mayProbe = isEnd && !this.#isLongRunning && isRead(method);
    this.#enteredMs = parts.clock.nowMs();
    this.#requestMs = Math.min(view.settings.timeouts.requestMs, route.timeoutMs ?? Number.POSITIVE_INFINITY);
    this.#sent = { tunnel: route.tunnel, path: route.plainPath, isRead: isRead(method, isUpgrade) };
    const leftMs = () => this.#leftMs;
    this.#turn = parts.cache.enter({ method, allowed, headers, hasBody: !isEnd, isUpgrade, leftMs });
    this.#ticket = parts.replays.enter(route.tunnel);
    this.#resending = new Resending({ sent: this.#sent, info: route.info, ticket: this.#ticket, leftMs });
    this.#served = serve({
      sent: this.#sent,
      onDone: (outcome) => this.#done(outcome),
      again: (error) => this.#again(error),
    });
  }

  /** Once. */
  begin(): void {
    const refusal = this.#rateRefusal();
    if (refusal !== undefined) return this.#served.refuse(refusal);
    this.#turn.begin({
      fromMemory: (stream) => this.#served.start(stream, undefined, this.#leftMs + MARGIN_MS),
      toTarget: () => this.#apply(),
    });
  }

  get #leftMs(): number {
    return this.#enteredMs + this.#requestMs - this.#parts.clock.nowMs();
  }

  /** Why it is one request too many; counts it otherwise. */
  #rateRefusal(): TunnelError | undefined {
    const { route, view, user } = this.#entered.allowed;
    const { tunnel, plainPath: path } = route;
    return this.#parts.rates.refusal({ tunnel, path, user: askerOf(user), rate: view.admission?.rateLimit });
  }

  #apply(): void {
    const { route, view, user } = this.#entered.allowed;
    this.#leave = this.#parts.admission.admit({
      tunnel: route.tunnel,
      path: route.plainPath,
      user: askerOf(user),
      pool: this.#isLongRunning ? 'longRunning' : 'ordinary',
      isWatch: route.info.verb === 'watch' && !this.#sending.isUpgrade,
      predatesGateway: view.predatesGateway ?? false,
      isEnd: this.#sending.isEnd,
      mayProbe: this.#mayProbe,
      enteredMs: this.#enteredMs,
      requestMs: this.#requestMs,
      disconnectGraceMs: view.settings.timeouts.disconnectGraceMs,
      head: (deadlineMs) => this.#head(deadlineMs),
      onStream: (stream, link) => this.#start(stream, link),
      onError: (error) => this.#served.refuse(this.#resending.told(error)),
    });
    if (this.#served.isDone) this.#leave();
  }

  /** What OPEN says. */
  #head(deadlineMs: number): RequestHead {
    const { method, trace, allowed } = this.#entered;
    const { headers, isUpgrade } = this.#turn.sending(this.#sending);
    const { path } = allowed.route;
    const { identity } = allowed;
    return {
      method,
      path,
      headers,
      identity,
      traceId: trace.id,
      isUpgrade,
      deadlineMs,
      isLongRunning: this.#isLongRunning,
    };
  }

  #start(stream: Stream, link: AgentLink): void {
    const { unsettled, breaker, longStreams, clock } = this.#parts;
    const { allowed } = this.#entered;
    const { tunnel } = allowed.route;
    const timeoutMs = this.#isLongRunning ? undefined : this.#leftMs + MARGIN_MS;
    const untilKnown = this.#sent.isRead ? undefined : unsettled.untilKnown(link, timeoutMs);
    const { budget } = link.session.session;
    const inflated = new InflatedStream(stream, {
      budget,
      clock,
      stallMs: allowed.view.settings.timeouts.backpressureMs,
    });
    const hears = [this.#ticket.hear, breaker.sent({ tunnel, mayProbe: this.#mayProbe }, link.session.id)];
    this.#served.start(this.#turn.tapped(overheard(inflated, hears)), untilKnown, timeoutMs);
    if (!this.#isLongRunning || this.#served.isDone) return;
    this.#forget();
    this.#forget = longStreams.watch({ tunnel, allowed, revoke: (error) => this.#served.revoke(error) });
  }

  #again(error: StreamError): boolean {
    if (!this.#resending.isDue(error)) return false;
    this.#apply();
    return true;
  }

  #done(outcome: ExchangeOutcome): void {
    const { allowed, startedMs } = this.#entered;
    const { route, view } = allowed;
    const { cache, meter, clock, log } = this.#parts;
    const durationMs = clock.nowMs() - startedMs;
    this.#leave();
    this.#forget();
    this.#ticket.leave();
    this.#turn.leave(outcome.error === 'cancelled');
    if (!this.#sent.isRead) cache.wrote(view, route.info, outcome.status);
    const { info, plainPath: path } = route;
    meter.requestEnded({ info, path, isLongRunning: this.#isLongRunning, status: outcome.status, durationMs });
    const asked = { ...this.#entered, isUpgrade: this.#sending.isUpgrade, cache: this.#turn.result };
    log.info('audit', auditLine(asked, outcome, durationMs));
  }
}

/** Who shares a tunnel and has a rate: as whomever he asks to act, it is he who logged in. */
function askerOf({ username, impersonatedBy }: HubUser): string {
  return impersonatedBy ?? username;
}
