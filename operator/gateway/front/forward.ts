import type { Duplex } from 'node:stream';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import type { StreamError } from '../../../tunnel/errors.ts';
import type { Budget } from '../../../tunnel/flow/budget.ts';
import { crossing } from '../../../tunnel/request-headers.ts';
import { InflatedStream, type RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { RawHeaders, RequestHead } from '../../../tunnel/wire/head.ts';
import type { Admission } from '../admission/admit.ts';
import type { Breaker } from '../admission/breaker.ts';
import type { Replays } from '../admission/replays.ts';
import type { Cache } from '../cache/cache.ts';
import { Exchange } from '../sessions/exchange.ts';
import type { ExchangeOutcome } from '../sessions/exchange-options.ts';
import { overheard } from '../sessions/overheard.ts';
import { Resending } from '../sessions/resending.ts';
import { isRead, type Sent } from '../sessions/stream-fault.ts';
import type { Unsettled, UntilKnown } from '../sessions/unsettled.ts';
import { Upgrade } from '../sessions/upgrade.ts';
import type { ClientRequest, ClientResponse } from './answer.ts';
import { auditLine } from './audit.ts';
import type { Allowed } from './gate.ts';
import type { LongStreams } from './long-streams.ts';
import type { TunnelError } from './tunnel-error.ts';

/** The gateway waits longer than the agent by this much, so that the hop that knows the cause speaks first. */
const MARGIN_MS = 10_000;

export interface ForwarderOptions {
  readonly admission: Admission;
  readonly unsettled: Unsettled;
  readonly replays: Replays;
  readonly breaker: Pick<Breaker, 'sent'>;
  readonly cache: Pick<Cache, 'enter' | 'wrote'>;
  readonly budget: Budget;
  readonly longStreams: LongStreams;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** A request that was let in. */
export interface Entered {
  readonly method: string;
  readonly traceId: string;
  readonly allowed: Allowed;
  /** Nothing was sent to the client yet: answer with this, which may name the tunnel. */
  readonly onError: (error: TunnelError) => void;
}

/** What of it goes to the agent. */
interface Sending {
  readonly headers: RawHeaders;
  readonly isEnd: boolean;
  readonly isUpgrade: boolean;
}

/** An Exchange or an Upgrade. */
interface Served {
  readonly isDone: boolean;
  /** `untilKnown`: whether the request ran may be known a moment after its session was lost; undefined: a read need not wait. */
  start(stream: RequestStream, untilKnown: UntilKnown | undefined, timeoutMs: number | undefined): void;
  refuse(error: TunnelError): void;
  revoke(error: TunnelError): void;
}

interface Serving {
  readonly sent: Sent;
  readonly onDone: (outcome: ExchangeOutcome) => void;
  readonly again: (error: StreamError) => boolean;
}

/** admit → forward → audit: from who may to what became of it. */
export class Forwarder {
  readonly #options: ForwarderOptions;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** One client request and its answer. */
  request(request: ClientRequest, response: ClientResponse, entered: Entered): void {
    const { method, traceId, allowed, onError } = entered;
    const { info } = allowed.route;
    const { clock, random } = this.#options;
    const hasBody = expectsBody(request);
    const sending = { headers: crossing(request.rawHeaders), isEnd: !hasBody, isUpgrade: false };
    this.#admit(entered, sending, (serving) => {
      const isWatch = info.verb === 'watch';
      return new Exchange({
        request,
        response,
        method,
        traceId,
        isWatch,
        hasBody,
        clock,
        random,
        onError,
        ...serving,
      });
    });
  }

  /** One client connection that wants to switch to `protocol`. */
  upgrade(socket: Duplex, protocol: string, rawHeaders: RawHeaders, entered: Entered): void {
    const { method, traceId, onError } = entered;
    const { clock } = this.#options;
    // `crossing` keeps no Upgrade field: this is the only one, in our own words.
    const headers = [...crossing(rawHeaders), 'Upgrade', protocol];
    this.#admit(entered, { headers, isEnd: false, isUpgrade: true }, ({ sent, onDone }) => {
      return new Upgrade({ socket, method, protocol, sent, traceId, clock, onError, onDone });
    });
  }

  #admit(entered: Entered, sending: Sending, serve: (serving: Serving) => Served): void {
    const { method, traceId, allowed } = entered;
    const { route, view, user } = allowed;
    const { isUpgrade, isEnd } = sending;
    const { admission, unsettled, replays, breaker, cache, longStreams, budget, clock, log } = this.#options;
    const isLongRunning = route.isLongRunning || isUpgrade;
    const mayProbe = isEnd && !isLongRunning && isRead(method);
    const { requestMs, disconnectGraceMs, backpressureMs } = view.settings.timeouts;
    const enteredMs = clock.nowMs();
    const leftMs = () => enteredMs + requestMs - clock.nowMs();
    const sent = { tunnel: route.tunnel, path: route.plainPath, isRead: isRead(method, isUpgrade) };
    const turn = cache.enter({ method, allowed, headers: sending.headers, hasBody: !isEnd, isUpgrade, leftMs });
    const ticket = replays.enter(route.tunnel);
    const resending = new Resending({ sent, info: route.info, ticket, leftMs });
    let leave = () => {};
    let forget = () => {};
    const apply = () => {
      leave = admission.admit({
        tunnel: route.tunnel,
        path: route.plainPath,
        pool: isLongRunning ? 'longRunning' : 'ordinary',
        isWatch: route.info.verb === 'watch' && !isUpgrade,
        predatesGateway: view.predatesGateway ?? false,
        isEnd,
        mayProbe,
        enteredMs,
        requestMs,
        disconnectGraceMs,
        head: (deadlineMs) => requestHead(entered, turn.sending(sending), { deadlineMs, isLongRunning }),
        onStream: (stream, link) => {
          const timeoutMs = isLongRunning ? undefined : leftMs() + MARGIN_MS;
          const untilKnown = sent.isRead ? undefined : unsettled.untilKnown(link, timeoutMs);
          const inflated = new InflatedStream(stream, { budget, clock, stallMs: backpressureMs });
          const hears = [ticket.hear, breaker.sent({ tunnel: route.tunnel, mayProbe }, link.session.id)];
          served.start(turn.tapped(overheard(inflated, hears)), untilKnown, timeoutMs);
          if (!isLongRunning || served.isDone) return;
          forget();
          forget = longStreams.watch({ tunnel: route.tunnel, allowed, revoke: (error) => served.revoke(error) });
        },
        onError: (error) => served.refuse(resending.told(error)),
      });
      if (served.isDone) leave();
    };
    const served = serve({
      sent,
      onDone: (outcome) => {
        leave();
        forget();
        ticket.leave();
        turn.leave(outcome.error === 'cancelled');
        if (!sent.isRead) cache.wrote(view, route.info, outcome.status);
        log.info('audit', auditLine({ traceId, user, route, method, isUpgrade, cache: turn.result }, outcome));
      },
      again: (error) => {
        if (!resending.isDue(error)) return false;
        apply();
        return true;
      },
    });
    const fromMemory = (stream: RequestStream) => served.start(stream, undefined, leftMs() + MARGIN_MS);
    turn.begin({ fromMemory, toTarget: apply });
  }
}

/** What OPEN says. */
function requestHead(
  { method, traceId, allowed }: Entered,
  { headers, isUpgrade }: Sending,
  time: { readonly deadlineMs: number; readonly isLongRunning: boolean },
): RequestHead {
  const { route, identity } = allowed;
  return { method, path: route.path, headers, identity, traceId, isUpgrade, ...time };
}

/** Whether a body follows the head. */
function expectsBody(request: ClientRequest): boolean {
  if ('stream' in request && request.httpVersionMajor === 2) return !request.stream.endAfterHeaders;
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
