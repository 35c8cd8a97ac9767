import { buildConnector, type Dispatcher, Pool } from 'undici';
import type { RawHeaders } from '../tunnel/wire/head.ts';

/** A request as it goes on the wire: nothing is added but Host, Connection and the framing of the body. */
export interface UpstreamRequest {
  readonly method: string;
  /** Raw path and query. */
  readonly path: string;
  readonly headers: RawHeaders;
  /** undefined: none. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** From the last byte sent to the complete response head. */
  readonly headersTimeoutMs: number;
}

/** Flow of a running response. */
export interface ResponseFlow {
  pause(): void;
  resume(): void;
}

/** What an exchange hears. Ends with onEnd or onError, exactly one of them, once. */
export interface UpstreamEvents {
  /** The request is about to be written: from here on it may be executed. */
  onStart(flow: ResponseFlow): void;
  /** The final response head, as it came. */
  onHead(status: number, headers: RawHeaders): void;
  onData(chunk: Uint8Array): void;
  /** The response is complete. */
  onEnd(trailers: RawHeaders): void;
  onError(error: Error): void;
}

export interface UpstreamOptions {
  /** https://host:port of the one API server. */
  readonly url: string;
  /** PEM; undefined trusts the system's roots. */
  readonly ca: string | undefined;
  readonly connectMs: number;
}

/** The API server closes idle connections after 90 s: ours go first, so that none dies under a request. */
const IDLE_CONNECTION_MS = 60_000;
const MAX_HEAD_BYTES = 64 * 1024;

/**
 * The one way to the API server: HTTP/1.1 over kept connections, raw heads, no decoding, no redirects, no retries.
 * One request a connection at a time, so there are as many connections as workers.
 */
export class Upstream {
  readonly #pool: Pool;
  #options: UpstreamOptions;
  #connector: buildConnector.connector;
  #open = 0;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#connector = connectorOf(options);
    this.#pool = new Pool(options.url, {
      connections: null,
      pipelining: 1,
      bodyTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: IDLE_CONNECTION_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      connect: (target, done) =>
        this.#connector(target, (...result) => {
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
  reconfigure(change: Partial<Omit<UpstreamOptions, 'url'>>): void {
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
        path,
        headers: [...headers],
        // undici takes async iterables; its types do not say so.
        body: (body ?? null) as unknown as Uint8Array | null,
        headersTimeout: headersTimeoutMs,
        // undici would close the connection after every DELETE with a body.
        ...(method === 'DELETE' ? { reset: false } : {}),
      },
      new Handler(events, signal),
    );
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    await this.#pool.destroy();
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
  #isStarted = false;

  constructor(events: UpstreamEvents, signal: AbortSignal) {
    this.#events = events;
    this.#signal = signal;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown before a byte was written: undici fails the request and keeps the connection.
    this.#signal.throwIfAborted();
    if (this.#isStarted) throw new Error('the request would have been sent twice');
    this.#isStarted = true;
    this.#signal.addEventListener('abort', () => controller.abort(reasonOf(this.#signal)), { once: true });
    this.#events.onStart(controller);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status >= 200) this.#events.onHead(status, rawTexts(controller.rawHeaders));
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#events.onData(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#events.onEnd(rawTexts(controller.rawTrailers));
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#events.onError(error);
  }
}

function connectorOf({ ca, connectMs }: UpstreamOptions): buildConnector.connector {
  return buildConnector({ ...(ca === undefined ? {} : { ca }), rejectUnauthorized: true, timeout: connectMs });
}

/** Header lines byte for byte (RFC 9110 §5.5). */
function rawTexts(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}
