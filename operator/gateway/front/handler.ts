import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { QuietLog } from '../../../process/quiet-log.ts';
import { traceIdOf } from '../../../process/trace.ts';
import { crossing, headerOf } from '../../../tunnel/request-headers.ts';
import type { Identity, RawHeaders } from '../../../tunnel/wire/head.ts';
import type { Admission } from '../admission/admit.ts';
import { Exchange } from '../sessions/exchange.ts';
import type { Tunnels, TunnelView } from '../sessions/tunnels.ts';
import { type ClientRequest, type ClientResponse, discardBody, sendFault } from './answer.ts';
import type { Authenticator } from './authenticate.ts';
import type { Authorizer } from './authorize.ts';
import { type Fault, fault, leaving, refusal } from './fault.ts';
import { type HubUser, identityAtTarget } from './identity.ts';
import { asksForImpersonation, bearerToken, hubVerb, type Route, routeOf } from './route.ts';

/** The gateway waits longer than the agent by this much, so that the hop that knows the cause speaks first. */
const MARGIN_MS = 10_000;

export interface HandlerOptions {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly tunnels: Tunnels;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** A request that may go on: who asks, what of which tunnel. */
interface Allowed {
  readonly route: Route;
  readonly user: HubUser;
  readonly identity: Identity;
  readonly view: TunnelView;
}

/** parse → authenticate → authorise → admit → forward, for one client request. */
export class Handler {
  readonly #options: HandlerOptions;
  readonly #warnings: QuietLog;
  #active = 0;
  #isDraining = false;

  constructor(options: HandlerOptions) {
    this.#options = options;
    this.#warnings = new QuietLog(options.log, options.clock);
  }

  /** Requests that have no answer yet, or whose answer still flows. */
  get active(): number {
    return this.#active;
  }

  /** Refuses what comes from now on; what runs goes on. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Answers `request`, one way or the other. Never throws. */
  handle(request: ClientRequest, response: ClientResponse): void {
    const headers = request.rawHeaders;
    const traceId = traceIdOf(headerOf(headers, 'x-trace-id'), headerOf(headers, 'traceparent'));
    let isGone = false;
    this.#active += 1;
    response.once('close', () => {
      isGone = true;
      this.#active -= 1;
    });
    this.#allow(request, headers)
      .then((allowed) => {
        if (isGone) return;
        if ('status' in allowed) return this.#refuse(request, response, allowed, traceId);
        this.#forward(request, response, allowed, traceId);
      })
      .catch((error: unknown) => {
        this.#options.log.error('request failed', { trace_id: traceId, error });
        this.#refuse(request, response, fault('internal', 'the gateway failed; its log has the trace id'), traceId);
      });
  }

  /** Who asks, and may he? */
  async #allow(request: ClientRequest, headers: RawHeaders): Promise<Allowed | Fault> {
    if (this.#isDraining) return leaving();
    const route = routeOf({ method: request.method ?? '', url: request.url ?? '', headers });
    if ('status' in route) return route;
    const user = await this.#authenticate(headers);
    if ('status' in user) return user;
    const { tunnel } = route;
    const verb = hubVerb(route, request.method ?? '', false);
    const denied = await this.#authorize(user, route, verb);
    if (denied !== undefined) return denied;
    if (asksForImpersonation(headers)) {
      return fault('forbidden', `user "${user.username}" cannot impersonate through a tunnel: leave out --as`);
    }
    const view = this.#options.tunnels.get(tunnel);
    if (view === undefined || view.isDeleting)
      return fault('not_found', `clustertunnels.clustertunnel.io "${tunnel}" not found`);
    const mapped = identityAtTarget(user);
    if ('refusal' in mapped) return refusal(mapped.refusal, route.path);
    return { route, user, identity: mapped.identity, view };
  }

  async #authenticate(headers: RawHeaders): Promise<HubUser | Fault> {
    const token = bearerToken(headers);
    if (token === undefined || token === '')
      return fault('unauthorized', 'Unauthorized: a bearer token of the hub is required');
    try {
      const user = await this.#options.authenticator.authenticate(token);
      return user ?? fault('unauthorized', 'Unauthorized: the hub does not know this token');
    } catch (error) {
      return this.#unavailable('authenticate', error);
    }
  }

  async #authorize(user: HubUser, { tunnel, path }: Route, verb: string): Promise<Fault | undefined> {
    try {
      if (await this.#options.authorizer.isAllowed(user, tunnel, verb)) return undefined;
    } catch (error) {
      return this.#unavailable('authorize', error);
    }
    const resource = 'resource "clustertunnels/proxy" in API group "clustertunnel.io" at the cluster scope';
    const what = `clustertunnels.clustertunnel.io "${tunnel}" is forbidden`;
    return refusal(`${what}: User "${user.username}" cannot ${verb} ${resource}`, path);
  }

  #unavailable(step: string, error: unknown): Fault {
    this.#warnings.warn('hub cannot answer', { step, error });
    return fault('auth_unavailable', `the hub cannot ${step} requests now`);
  }

  #forward(request: ClientRequest, response: ClientResponse, allowed: Allowed, traceId: string): void {
    const { route, identity, view, user } = allowed;
    const { settings, predatesGateway = false } = view;
    const { clock, random, admission } = this.#options;
    const method = request.method ?? '';
    const isWatch = route.info.verb === 'watch';
    const timeoutMs = route.isLongRunning ? undefined : settings.timeouts.requestMs;
    const hasBody = expectsBody(request);
    const exchange = new Exchange({
      request,
      response,
      method,
      tunnel: route.tunnel,
      traceId,
      isWatch,
      hasBody,
      clock,
      random,
      onFault: (answer) => {
        sendFault(response, answer, traceId, route.tunnel);
        discardBody(request, response, clock);
      },
      onDone: (outcome) => {
        leave();
        this.#audit(user, route, method, traceId, { ...outcome });
      },
    });
    let leave = () => {};
    const headers = crossing(request.rawHeaders);
    leave = admission.admit({
      tunnel: route.tunnel,
      pool: route.isLongRunning ? 'longRunning' : 'ordinary',
      isWatch,
      predatesGateway,
      isEnd: !hasBody,
      timeoutMs,
      disconnectGraceMs: settings.timeouts.disconnectGraceMs,
      head: (deadlineMs) => ({
        method,
        path: route.path,
        headers,
        identity,
        traceId,
        deadlineMs,
        isLongRunning: route.isLongRunning,
        isUpgrade: false,
      }),
      onStream: (stream) => exchange.start(stream, timeoutMs === undefined ? undefined : timeoutMs + MARGIN_MS),
      onFault: (answer) => exchange.refuse(answer),
    });
    if (exchange.isDone) leave();
  }

  #refuse(request: ClientRequest, response: ClientResponse, answer: Fault, traceId: string): void {
    this.#options.log.info('request refused', {
      trace_id: traceId,
      method: request.method,
      status: answer.status,
      code: answer.code,
    });
    sendFault(response, answer, traceId);
    discardBody(request, response, this.#options.clock);
  }

  #audit(user: HubUser, route: Route, method: string, traceId: string, outcome: Record<string, unknown>): void {
    const { tunnel, info } = route;
    const { verb, apiGroup, resource, subresource, namespace, name } = info;
    this.#options.log.info('audit', {
      trace_id: traceId,
      user: user.username,
      tunnel,
      method,
      verb,
      apiGroup,
      resource,
      subresource,
      namespace,
      name,
      ...outcome,
    });
  }
}

/** Whether a body follows the head. */
function expectsBody(request: ClientRequest): boolean {
  if ('stream' in request && request.httpVersionMajor === 2) return !request.stream.endAfterHeaders;
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
