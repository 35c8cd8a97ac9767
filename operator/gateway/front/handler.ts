import type { EventEmitter } from 'node:events';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { type Trace, traceOf } from '../../../process/trace.ts';
import {
  type ClientRequest,
  type ClientResponse,
  closeWhenReset,
  cutUntaken,
  discardBody,
  sendError,
  sendJson,
} from './answer.ts';
import { cancelledLine, listingLine, refusalLine } from './audit.ts';
import { asksForClusters, type Clusters } from './clusters.ts';
import type { Forwarder } from './forward.ts';
import type { Asking, Gate } from './gate.ts';
import { peerOf } from './peer.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import { leaving, TunnelError } from './tunnel-error.ts';
import { upgradeProtocol } from './upgrade-request.ts';

export interface HandlerOptions {
  readonly gate: Gate;
  readonly clusters: Clusters;
  readonly forwarder: Forwarder;
  /** A request was answered by the gateway itself. */
  readonly onRefused?: ((error: TunnelError) => void) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One client who asks: what he is told, and where to hear that he went away. */
interface Client {
  readonly connection: EventEmitter;
  readonly method: string;
  readonly trace: Trace;
  readonly address: string;
  readonly startedMs: number;
  /** Names the tunnel only to who may know that it exists. */
  readonly refuse: (error: TunnelError, tunnel?: string) => void;
}

/** The clients' door: each request is let in and forwarded, or refused. */
export class Handler {
  readonly #options: HandlerOptions;
  #active = 0;
  #isDraining = false;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  /** Requests that have no answer yet, or whose answer still flows; upgraded connections too. */
  get active(): number {
    return this.#active;
  }

  /** Refuses what comes from now on; what runs goes on. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Answers `request`, one way or the other. Never throws. */
  handle(request: ClientRequest, response: ClientResponse): void {
    const { method = '', url = '', rawHeaders: headers } = request;
    const { gate, forwarder, onRefused, clock } = this.#options;
    const trace = traceOf(headers);
    closeWhenReset(response);
    const refuse = (error: TunnelError, tunnel?: string) => {
      onRefused?.(error);
      sendError({ request, response }, error, trace, tunnel);
      discardBody(request, response, clock);
      cutUntaken(response, clock);
    };
    const peer = peerOf(request);
    const came = { method, trace, address: peer.address, startedMs: clock.nowMs() };
    const client = { ...came, connection: response, refuse };
    const httpVersion = response instanceof ServerResponse ? request.httpVersion : undefined;
    const asking = { method, url, httpVersion, headers, peer };
    if (asksForClusters(url)) return this.#list(request, response, client, asking);
    const ask = () => gate.allow({ ...asking, isUpgrade: false });
    this.#enter(client, ask, (allowed) => {
      const onError = (error: TunnelError) => refuse(error, allowed.route.tunnel);
      forwarder.request(request, response, { ...came, allowed, onError });
    });
  }

  /** Ties the client's connection to a stream, or refuses. `head`: what came behind the request. Never throws. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { method = '', url = '', httpVersion, rawHeaders: headers } = request;
    const { gate, forwarder, onRefused, clock } = this.#options;
    const trace = traceOf(headers);
    socket.on('error', () => {
      // 'close' says the rest.
    });
    if (head.length > 0) socket.unshift(head);
    const refuse = (error: TunnelError, tunnel?: string) => {
      onRefused?.(error);
      socket.resume();
      refuseUpgrade(socket, error, { clock, trace, tunnel, method });
    };
    const peer = peerOf(request);
    const came = { method, trace, address: peer.address, startedMs: clock.nowMs() };
    const client = { ...came, connection: socket, refuse };
    const ask = async () => {
      const protocol = upgradeProtocol({ method, httpVersion, headers });
      if (protocol instanceof TunnelError) return protocol;
      const allowed = await gate.allow({ method, url, httpVersion, headers, peer, isUpgrade: true });
      return allowed instanceof TunnelError ? allowed : { allowed, protocol };
    };
    this.#enter(client, ask, ({ allowed, protocol }) => {
      const onError = (error: TunnelError) => refuse(error, allowed.route.tunnel);
      forwarder.upgrade(socket, protocol, headers, { ...came, allowed, onError });
    });
  }

  #list(request: ClientRequest, response: ClientResponse, client: Client, line: Asking): void {
    const { clusters, clock, log } = this.#options;
    const { method, trace } = client;
    const ask = () => clusters.list(line);
    this.#enter(client, ask, ({ user, list }) => {
      sendJson(response, list, method, trace);
      discardBody(request, response, clock);
      cutUntaken(response, clock);
      log.info('audit', listingLine(client, user, list.items.length));
    });
  }

  /** Lets a client in who may, unless he went away meanwhile. */
  #enter<Entrance>(client: Client, ask: () => Promise<Entrance | TunnelError>, go: (entrance: Entrance) => void): void {
    const { connection, refuse } = client;
    const { log } = this.#options;
    let isGone = false;
    this.#active += 1;
    connection.once('close', () => {
      isGone = true;
      this.#active -= 1;
    });
    const verdict = this.#isDraining ? Promise.resolve(leaving()) : ask();
    verdict
      .then((entrance) => {
        if (entrance instanceof TunnelError) {
          log.info('audit', refusalLine(entrance, client));
          refuse(entrance);
        } else if (isGone) log.info('audit', cancelledLine(client));
        else go(entrance);
      })
      .catch((cause: unknown) => {
        const error = new TunnelError('internal', 'the gateway failed; its log has the trace id', { cause });
        log.error('audit', refusalLine(error, client));
        refuse(error);
      });
  }
}
