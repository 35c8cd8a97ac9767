import { once } from 'node:events';
import type { Socket } from 'node:net';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import type { Clock } from '../process/clock.ts';
import { AnswerConnections, PausableAnswer } from './pausable-answer.ts';
import { Upgrade } from './upgrade.ts';
import type { ClientCertificate, UpgradeRequest, UpstreamEvents, UpstreamRequest } from './upstream-request.ts';

export interface UpstreamOptions {
  /** https://host:port of the one API server, and the path below which it stands, if any. */
  readonly url: string;
  /** PEM; undefined trusts the system's roots. */
  readonly ca: string | undefined;
  /** The name in the server's certificate, where it is not the URL's. */
  readonly serverName?: string | undefined;
  /** PEM: who we are, where no token says so. */
  readonly certificate?: ClientCertificate | undefined;
  readonly connectMs: number;
  readonly clock: Clock;
}

/** The API server closes idle connections after 90 s: ours go first, so that none dies under a request. */
const IDLE_CONNECTION_MS = 60_000;
const MAX_HEAD_BYTES = 64 * 1024;

/**
 * The one way to the API server: HTTP/1.1 over kept connections, raw heads, no decoding, no redirects, no retries, no proxy
 * whatever the environment says. One request a connection at a time, so there are as many connections as workers; an
 * upgrade has a connection of its own.
 */
export class Upstream {
  readonly #pool: Pool;
  readonly #upgraded = new Set<Socket>();
  readonly #connections = new AnswerConnections();
  readonly #prefix: string;
  #options: UpstreamOptions;
  #connector: buildConnector.connector;
  #open = 0;

  constructor(options: UpstreamOptions) {
    const { origin, pathname } = new URL(options.url);
    this.#options = options;
    this.#prefix = pathname.replace(/\/+$/, '');
    this.#connector = connectorOf(options);
    this.#pool = new Pool(origin, {
      connections: null,
      pipelining: 1,
      bodyTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: IDLE_CONNECTION_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      connect: (target, done) =>
        this.#connector(named(target, options.serverName), (...result) => {
          // Where undici's types say null, it passes nothing.
          if (result[0] === null && result[1] !== null) this.#count(result[1]);
          done(...result);
        }),
    });
  }

  get url(): string {
    return this.#options.url;
  }

  /** Open connections, idle ones included. */
  get connections(): number {
    return this.#open;
  }

  /** A rotated CA or another timeout, for connections to come. */
  reconfigure(change: Partial<Pick<UpstreamOptions, 'ca' | 'connectMs'>>): void {
    const next = { ...this.#options, ...change };
    if (next.ca === this.#options.ca && next.connectMs === this.#options.connectMs) return;
    this.#options = next;
    this.#connector = connectorOf(next);
  }

  /** Runs one exchange. Aborting `signal` closes its connection, or keeps it from being written at all. */
  exchange(request: UpstreamRequest, events: UpstreamEvents, signal: AbortSignal): void {
    const { method, path, headers, body, headersTimeoutMs } = request;
    this.#pool.dispatch(
      {
        method,
        path: `${this.#prefix}${path}`,
        headers: [...headers],
        // undici takes async iterables; its types do not say so.
        body: (body ?? null) as unknown as Uint8Array | null,
        headersTimeout: headersTimeoutMs,
        // undici would close the connection after every DELETE with a body.
        ...(method === 'DELETE' ? { reset: false } : {}),
      },
      new Handler(events, signal, this.#connections),
    );
  }

  /** Runs one exchange that asks for an upgrade. Aborting `signal` closes its connection at once. */
  upgrade(request: UpgradeRequest, events: UpstreamEvents, signal: AbortSignal): void {
    const { socket } = new Upgrade(
      this.#options,
      { ...request, path: `${this.#prefix}${request.path}` },
      events,
      signal,
    );
    this.#count(socket);
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    const closed = [...this.#upgraded].map((socket) => once(socket.destroy(), 'close'));
    await Promise.all([...closed, this.#pool.destroy()]);
    this.#connections.close();
  }

  #count(socket: { once(event: 'close', listener: () => void): unknown }): void {
    this.#open += 1;
    socket.once('close', () => {
      this.#open -= 1;
    });
  }
}

/** Between undici's handler and ours. */
class Handler implements Dispatcher.DispatchHandler {
  readonly #events: UpstreamEvents;
  readonly #signal: AbortSignal;
  readonly #connections: AnswerConnections;
  #answer: PausableAnswer | undefined;

  constructor(events: UpstreamEvents, signal: AbortSignal, connections: AnswerConnections) {
    this.#events = events;
    this.#signal = signal;
    this.#connections = connections;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown before a byte was written: undici fails the request and keeps the connection.
    this.#signal.throwIfAborted();
    if (this.#answer !== undefined) throw new Error('the request would have been sent twice');
    this.#answer = new PausableAnswer(controller);
    this.#connections.starts(this.#answer);
    this.#signal.addEventListener('abort', () => controller.abort(reasonOf(this.#signal)), { once: true });
    this.#events.onStart(this.#answer);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status >= 200) this.#events.onHead(status, rawTexts(controller.rawHeaders));
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#events.onData(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#answer?.leave();
    this.#events.onEnd(rawTexts(controller.rawTrailers));
    this.#events.onGone();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#answer?.leave();
    this.#events.onError(error);
    // The connection is destroyed; its descriptor is closed within this turn of the event loop.
    setImmediate(() => this.#events.onGone());
  }
}

function connectorOf({ ca, certificate, connectMs }: UpstreamOptions): buildConnector.connector {
  const trust = ca === undefined ? {} : { ca };
  return buildConnector({ ...trust, ...certificate, rejectUnauthorized: true, timeout: connectMs });
}

function named(target: buildConnector.Options, serverName: string | undefined): buildConnector.Options {
  return serverName === undefined ? target : { ...target, servername: serverName };
}

/** Header lines byte for byte (RFC 9110 §5.5). */
function rawTexts(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}
