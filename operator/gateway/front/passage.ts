import type { StreamError } from '../../../tunnel/errors.ts';
import { InflatedStream, type RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { Stream } from '../../../tunnel/session/stream.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import type { Ticket } from '../admission/replays.ts';
import type { CacheTurn } from '../cache/turn.ts';
import { mayGoDirectly } from '../fallback/when.ts';
import type { ExchangeOutcome } from '../sessions/exchange-options.ts';
import { overheard } from '../sessions/overheard.ts';
import type { AgentLink } from '../sessions/registry.ts';
import { Resending } from '../sessions/resending.ts';
import { isRead, type Sent } from '../sessions/stream-fault.ts';
import { auditLine } from './audit.ts';
import type { HubUser } from './identity.ts';
import type { Entered, PassageParts, Sending, Served, Serving } from './passage-parts.ts';
import type { TunnelError } from './tunnel-error.ts';

/** The gateway waits longer than the agent by this much, so that the hop that knows the cause speaks first. */
const MARGIN_MS = 10_000;

/** One request's way: its rate, what is remembered, a place at a session (perhaps again at another), the audit line at the end. */
export class Passage {
  readonly #parts: PassageParts;
  readonly #entered: Entered;
  readonly #sending: Sending;
  readonly #isLongRunning: boolean;
  /** A read without a body: an open circuit may let one of those try the way; not one for which there is another way. */
  readonly #mayProbe: boolean;
  readonly #enteredMs: number;
  readonly #requestMs: number;
  readonly #sent: Sent;
  readonly #turn: CacheTurn;
  readonly #ticket: Ticket;
  readonly #resending: Resending;
  readonly #served: Served;
  #isDirect = false;
  /** instanceId of the one that has it, or had it last. */
  #agent = '';
  #leave: () => void = () => {};
  #leaveDirect: () => void = () => {};
  #forget: () => void = () => {};

  constructor(parts: PassageParts, entered: Entered, sending: Sending, serve: (serving: Serving) => Served) {
    const { method, allowed } = entered;
    const { route, view } = allowed;
    const { headers, isEnd, isUpgrade } = sending;
    this.#parts = parts;
    this.#entered = entered;
    this.#sending = sending;
    this.#isLongRunning = route.isLongRunning || isUpgrade;
    const { tunnel } = route;
    this.#mayProbe = isEnd && !this.#isLongRunning && isRead(method) && !parts.fallbacks.isUsable(tunnel);
    this.#enteredMs = parts.clock.nowMs();
    this.#requestMs = Math.min(view.settings.timeouts.requestMs, route.timeoutMs ?? Number.POSITIVE_INFINITY);
    const isDirect = () => this.#isDirect;
    this.#sent = {
      tunnel,
      path: route.plainPath,
      isRead: isRead(method, isUpgrade),
      get isDirect() {
        return isDirect();
      },
    };
    const leftMs = () => this.#leftMs;
    this.#turn = parts.cache.enter({ method, allowed, headers, hasBody: !isEnd, isUpgrade, leftMs });
    this.#ticket = parts.replays.enter(tunnel);
    const hasOther = (agent: string) => parts.admission.others(tunnel, agent).length > 0;
    this.#resending = new Resending({ sent: this.#sent, info: route.info, ticket: this.#ticket, leftMs, hasOther });
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
      hasFallback: this.#parts.fallbacks.isUsable(route.tunnel) && !this.#resending.mayHaveRun,
      avoid: this.#resending.avoid,
      head: (deadlineMs) => this.#head(deadlineMs, this.#turn.sending(this.#sending)),
      onStream: (stream, link) => this.#start(stream, link),
      onError: (error) => this.#notCarried(error),
    });
    if (this.#served.isDone) this.#leave();
  }

  /** The tunnel does not take it: it goes directly, if it may, or is told why. */
  #notCarried(error: TunnelError): void {
    const { kind } = error;
    const refusal = this.#resending.told(error);
    const isAway = mayGoDirectly({ kind, mayHaveRun: this.#resending.mayHaveRun });
    const leave = isAway ? this.#goDirectly(refusal) : undefined;
    if (leave === undefined) return this.#served.refuse(refusal);
    this.#leaveDirect = leave;
    if (this.#served.isDone) leave();
  }

  #goDirectly(refusal: TunnelError): (() => void) | undefined {
    const { route, user } = this.#entered.allowed;
    return this.#parts.fallbacks.go({
      tunnel: route.tunnel,
      path: route.plainPath,
      user: askerOf(user),
      pool: this.#isLongRunning ? 'longRunning' : 'ordinary',
      isEnd: this.#sending.isEnd,
      isRead: this.#sent.isRead,
      deadlineMs: this.#enteredMs + this.#requestMs,
      refusal,
      // What is remembered was said through the tunnel: nothing of it is asked about here, nor kept of what is said.
      head: (deadlineMs) => this.#head(deadlineMs, this.#sending),
      onStream: (stream) => this.#startDirectly(stream),
      onError: (error) => this.#served.refuse(error),
      revoke: (error) => this.#served.revoke(error),
    });
  }

  #startDirectly(stream: RequestStream): void {
    this.#isDirect = true;
    this.#served.start(stream, undefined, this.#timeoutMs);
    this.#watch();
  }

  /** What OPEN says. */
  #head(deadlineMs: number, { headers, isUpgrade }: Sending): RequestHead {
    const { method, trace, allowed } = this.#entered;
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
    const { unsettled, breaker, ways, clock } = this.#parts;
    const { allowed } = this.#entered;
    const { tunnel } = allowed.route;
    const timeoutMs = this.#timeoutMs;
    this.#agent = link.instanceId;
    const untilKnown = this.#sent.isRead ? undefined : unsettled.untilKnown(link, timeoutMs);
    const { budget } = link.session.session;
    const inflated = new InflatedStream(stream, {
      budget,
      clock,
      stallMs: allowed.view.settings.timeouts.backpressureMs,
    });
    const seen = breaker.sent({ tunnel, mayProbe: this.#mayProbe }, link.session.id);
    const hears = [this.#ticket.hear, seen, ways.sent(tunnel)];
    this.#served.start(this.#turn.tapped(overheard(inflated, hears)), untilKnown, timeoutMs);
    this.#watch();
  }

  /** One of long-running requests that began. */
  #watch(): void {
    const { allowed } = this.#entered;
    const { tunnel } = allowed.route;
    if (!this.#isLongRunning || this.#served.isDone) return;
    this.#forget();
    const revoke = (error: TunnelError) => this.#served.revoke(error);
    this.#forget = this.#parts.longStreams.watch({ tunnel, allowed, revoke });
  }

  /** How long an answer may take from now on, in ms; undefined: as long as it likes. */
  get #timeoutMs(): number | undefined {
    return this.#isLongRunning ? undefined : this.#leftMs + MARGIN_MS;
  }

  #again(error: StreamError): boolean {
    if (this.#isDirect || !this.#resending.isDue(error, this.#agent)) return false;
    this.#apply();
    return true;
  }

  #done(outcome: ExchangeOutcome): void {
    const { allowed, startedMs } = this.#entered;
    const { route, view } = allowed;
    const { cache, meter, clock, log } = this.#parts;
    const durationMs = clock.nowMs() - startedMs;
    this.#leave();
    this.#leaveDirect();
    this.#forget();
    this.#ticket.leave();
    this.#turn.leave(outcome.error === 'cancelled');
    if (!this.#sent.isRead) cache.wrote(view, route.info, outcome.status);
    const { info, plainPath: path } = route;
    const { status, error } = outcome;
    const cutBy = status !== undefined && typeof error === 'object' ? error.code : undefined;
    meter.requestEnded({ info, path, isLongRunning: this.#isLongRunning, status, durationMs, cutBy });
    const via = this.#isDirect ? ('fallback' as const) : undefined;
    const asked = { ...this.#entered, isUpgrade: this.#sending.isUpgrade, cache: this.#turn.result, via };
    log.info('audit', auditLine(asked, outcome, durationMs));
  }
}

/** Who shares a tunnel and has a rate: as whomever he asks to act, it is he who logged in. */
function askerOf({ username, impersonatedBy }: HubUser): string {
  return impersonatedBy ?? username;
}
