import { type ClientRequest, type IncomingMessage, request as startRequest } from 'node:http';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { errors } from 'undici';
import type { Clock } from '../process/clock.ts';
import { MAX_HEADERS_BYTES } from '../tunnel/request-headers.ts';
import type { ClientCertificate, UpgradeRequest, UpstreamEvents } from './upstream-request.ts';

export interface UpgradeTarget {
  /** https://host:port of the one API server. */
  readonly url: string;
  /** PEM; undefined trusts the system's roots. */
  readonly ca: string | undefined;
  readonly serverName?: string | undefined;
  readonly certificate?: ClientCertificate | undefined;
  /** TCP and TLS together. */
  readonly connectMs: number;
  readonly clock: Clock;
}

/** An idle shell must notice that its API server is gone: the system asks after this much silence. */
const KEEP_ALIVE_MS = 30_000;

/**
 * One request that asks for an upgrade, on a connection of its own that ends with it.
 *
 *   connecting ── verified ── onStart ──┬─ 101: onHead, raw bytes both ways, each way ended by a FIN ── closed ── onGone
 *                                       └─ any other answer: onHead, its body, onEnd ── closed ── onGone
 *
 * Raw bytes leave only after a parsed 101 (CVE-2018-1002105): what the client sends before it waits in the request's body.
 */
export class Upgrade {
  readonly socket: TLSSocket;
  readonly #target: UpgradeTarget;
  readonly #request: UpgradeRequest;
  readonly #events: UpstreamEvents;
  #answer: IncomingMessage | undefined;
  /** Where the answer's bytes come from, and can be held up. */
  #source: IncomingMessage | TLSSocket | undefined;
  #hasUpgraded = false;
  #isEnded = false;
  #isFailed = false;
  /** The descriptor is. */
  #isClosed = false;
  #isGone = false;
  #cancelTimeout: () => void;

  constructor(target: UpgradeTarget, request: UpgradeRequest, events: UpstreamEvents, signal: AbortSignal) {
    this.#target = target;
    this.#request = request;
    this.#events = events;
    this.socket = connectTo(target);
    this.#cancelTimeout = target.clock.after(target.connectMs, () => this.#fail(new errors.ConnectTimeoutError()));
    // Not before: the credential is only for a server that the CA has vouched for.
    this.socket.once('secureConnect', () => this.#send());
    this.socket.on('error', (error) => this.#fail(error));
    this.socket.once('close', () => this.#closed());
    signal.addEventListener('abort', () => this.#fail(new Error('aborted', { cause: signal.reason })), { once: true });
  }

  #send(): void {
    const { clock } = this.#target;
    this.#cancelTimeout();
    let request: ClientRequest;
    try {
      request = this.#requestOn(this.socket);
    } catch (error) {
      // Node refuses to send what policy.ts should not have let through.
      return this.#fail(asError(error));
    }
    request.on('error', (error) => this.#fail(error));
    request.once('upgrade', (answer, _socket, firstBytes) => this.#upgraded(answer, firstBytes));
    request.once('response', (answer) => this.#answered(answer));
    this.#events.onStart({ pause: () => this.#source?.pause(), resume: () => this.#source?.resume() });
    const { headersTimeoutMs } = this.#request;
    this.#cancelTimeout = clock.after(headersTimeoutMs, () => this.#fail(new errors.HeadersTimeoutError()));
    request.end();
  }

  /** Not written before its end. @throws Error for a head that is no HTTP. */
  #requestOn(socket: TLSSocket): ClientRequest {
    const { method, path } = this.#request;
    const headers = sentHeaders(this.#request, new URL(this.#target.url).host);
    const maxHeaderSize = MAX_HEADERS_BYTES;
    const request = startRequest({ createConnection: () => socket, method, path, headers, maxHeaderSize });
    // All lines, so that headerTrouble can count them: Node would hide what is beyond its own limit.
    request.maxHeadersCount = 0;
    return request;
  }

  /** From here on the connection belongs to nobody's HTTP. */
  #upgraded({ rawHeaders }: IncomingMessage, firstBytes: Buffer): void {
    const { socket } = this;
    this.#cancelTimeout();
    this.#hasUpgraded = true;
    this.#source = socket;
    this.#events.onHead(101, rawHeaders);
    if (this.#isFailed) return;
    if (firstBytes.length > 0) this.#events.onData(firstBytes);
    socket.on('data', (chunk: Buffer) => this.#events.onData(chunk));
    socket.once('end', () => this.#end([]));
    // Never rejects.
    void this.#pump();
  }

  /** An ordinary answer, after which the connection is of no use to anybody. */
  #answered(answer: IncomingMessage): void {
    this.#cancelTimeout();
    this.#answer = answer;
    this.#source = answer;
    answer.on('error', (error) => this.#fail(error));
    if (answer.statusCode === 101) return this.#fail(new errors.HTTPParserError('a 101 without Connection: Upgrade'));
    this.#events.onHead(answer.statusCode ?? 0, answer.rawHeaders);
    if (this.#isFailed) return;
    answer.on('data', (chunk: Buffer) => this.#events.onData(chunk));
    answer.once('end', () => {
      this.#end(answer.rawTrailers);
      this.socket.destroy();
    });
  }

  /** Bytes of the client, as fast as the API server takes them, then its FIN. */
  async #pump(): Promise<void> {
    try {
      for await (const chunk of this.#request.body) await written(this.socket, chunk);
      this.socket.end();
    } catch (error) {
      // The body was given up: its end must not look like one.
      this.#fail(asError(error));
    }
  }

  #end(trailers: readonly string[]): void {
    if (this.#isFailed) return;
    this.#isEnded = true;
    this.#events.onEnd(trailers);
    this.#goneIfDone();
  }

  #fail(error: Error): void {
    const isAnswered = this.#isEnded && !this.#hasUpgraded;
    if (this.#isFailed || this.#isGone || isAnswered) return;
    this.#isFailed = true;
    this.#cancelTimeout();
    this.socket.destroy();
    this.#events.onError(error);
    this.#goneIfDone();
  }

  #closed(): void {
    this.#isClosed = true;
    // A complete answer outlives its connection, until it was read.
    const isUnread = this.#answer?.complete === true;
    if (!this.#isEnded && !isUnread) this.#fail(new Error('it was closed before the answer was complete'));
    this.#goneIfDone();
  }

  #goneIfDone(): void {
    const isDone = this.#isClosed && (this.#isEnded || this.#isFailed);
    if (!isDone || this.#isGone) return;
    this.#isGone = true;
    this.#events.onGone();
  }
}

/** A connection whose two directions end apart. */
function connectTo({ url, ca, serverName, certificate }: UpgradeTarget): TLSSocket {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const options: ConnectionOptions & { readonly allowHalfOpen: boolean } = {
    host,
    port: port === '' ? 443 : Number(port),
    servername: serverName ?? (isIP(host) === 0 ? host : ''),
    ...(ca === undefined ? {} : { ca }),
    ...certificate,
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    allowHalfOpen: true,
  };
  const socket = connect(options);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}

/** Node adds nothing to a raw list, so Host is ours to say; and a POST that says no length would be sent as chunked. */
function sentHeaders({ method, headers }: UpgradeRequest, host: string): string[] {
  const hasLength = headers.some((text, at) => at % 2 === 0 && text.toLowerCase() === 'content-length');
  const length = method === 'POST' && !hasLength ? ['Content-Length', '0'] : [];
  return ['Host', host, ...length, ...headers];
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Resolves when the socket has room for more, or is gone. */
function written(socket: TLSSocket, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (socket.write(chunk, () => resolve())) resolve();
  });
}
