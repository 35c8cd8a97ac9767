import { constants } from 'node:crypto';
import { type IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { MAX_HEADERS_BYTES } from '../../../tunnel/request-headers.ts';
import { CONNECT_PATH } from '../../../tunnel/session/settings.ts';
import { MAX_HEADER_LINES } from '../../../tunnel/wire/limits.ts';
import type { Asked, ClientRequest, ClientResponse } from './answer.ts';
import { endWhenDead } from './dead-session.ts';
import { type IdleLimits, limitIdleness } from './idle-session.ts';
import { paceHandshakes } from './pace-handshakes.ts';
import { refuseUnread } from './refuse-upgrade.ts';
import { TunnelError } from './tunnel-error.ts';

/** A TLS handshake takes no longer, and then the head of a request, unless told. */
const HEAD_TIMEOUT_MS = 10_000;
/** Of that time, how much later a late head may be noticed: the sooner, the fewer connections end in one turn. */
const LATE_SHARE = 0.02;
/** A connection without traffic is probed after this, then in the system's intervals. */
const TCP_KEEP_ALIVE_MS = 30_000;
/** Idle connections are kept longer than load balancers do. */
const KEEP_ALIVE_MS = 90_000;
const MAX_STREAMS_PER_CONNECTION = 250;
/** Requests that wait on one connection for the answer before theirs. No client of Kubernetes pipelines. */
const MAX_PIPELINED = 32;
/** Node counts what a connection's streams have in flight, and refuses new ones beyond this; its own 10 are too few. */
const MAX_SESSION_MEGABYTES = 64;

/** Sessions are not resumed: a ticket would stand for a client's certificate, without the rest of its chain. */
const TLS = { minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET } as const;

/** Beyond it Node resets an HTTP/2 stream; up to it too many header lines get their Status. */
const MAX_HEADER_PAIRS = 2 * MAX_HEADER_LINES;

export interface ServingCertificate {
  /** PEM, leaf first. */
  readonly cert: string;
  readonly key: string;
}

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly certificate: ServingCertificate;
  /** Whether HTTP/2 is offered beside HTTP/1.1; it is unless told. */
  readonly http2?: boolean | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** 10 s unless told. */
  readonly headTimeoutMs?: number | undefined;
  readonly onRequest: (request: ClientRequest, response: ClientResponse) => void;
  /** An HTTP/1.1 request to switch protocols; `head` came behind it. The connection is the listener's from here on. */
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** The same, on the agents' path. */
  readonly onAgent: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface GatewayServer {
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** New handshakes use it; running connections keep theirs. */
  setCertificate(certificate: ServingCertificate): void;
  /** Asks clients to leave, over HTTP/2 also those that come yet. Still accepts: who comes must be told where he stands. */
  drain(): void;
  /** Ends everything. */
  close(): Promise<void>;
}

/** One TLS listener, HTTP/2 and HTTP/1.1, with two doors: clients and agents. */
export async function startServer(options: ServerOptions): Promise<GatewayServer> {
  const { host, port, certificate, clock, log, headTimeoutMs = HEAD_TIMEOUT_MS } = options;
  const server = createSecureServer({
    ...certificate,
    ...TLS,
    allowHTTP1: true,
    ...(options.http2 === false ? { ALPNCallback: onlyHttp1 } : {}),
    // Asked for, not demanded, and of any authority: whose it is certificate-logins.ts says, for each request anew.
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: headTimeoutMs,
    maxSessionMemory: MAX_SESSION_MEGABYTES,
    maxHeaderListPairs: MAX_HEADER_PAIRS,
    settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION, maxHeaderListSize: MAX_HEADERS_BYTES },
  });
  // An HTTP/2 server takes none of HTTP/1.1's options: its HTTP/1.1 side reads them from the server itself.
  Object.assign(server, {
    maxHeaderSize: MAX_HEADERS_BYTES,
    maxHeadersCount: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: headTimeoutMs,
    requestTimeout: 0,
    connectionsCheckingInterval: Math.ceil(headTimeoutMs * LATE_SHARE),
  });
  paceHandshakes(server);
  const sockets = trackSockets(server);
  const sessions = trackSessions(server);
  limitSessions(server, { clock, beginMs: headTimeoutMs, idleMs: KEEP_ALIVE_MS });
  const answers = new WeakMap<Duplex, ClientResponse>();
  answerRequests(server, options, answers);
  switchProtocols(server, options, answers);
  answerTrouble(server, options, answers);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  server.on('error', (error) => log.error('listener failed', { error }));
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size;
    },
    setCertificate: (next) => server.setSecureContext({ ...next, ...TLS }),
    drain: () => {
      // After its first request: a session without one would end unanswered.
      server.on('session', (session) => session.once('stream', () => session.close()));
      for (const session of sessions) session.close();
    },
    close: () => closeAll(server, sockets),
  };
}

/** Node's HTTP/2 server sets ALPNProtocols itself. Who can only HTTP/2 gets TLS's `no_application_protocol`. */
function onlyHttp1({ protocols }: { readonly protocols: readonly string[] }): string | undefined {
  return protocols.find((protocol) => protocol === 'http/1.1');
}

/** The newest answer of each connection. */
type Answers = WeakMap<Duplex, ClientResponse>;

function answerRequests(server: Http2SecureServer, { onRequest }: ServerOptions, answers: Answers): void {
  const waiting = new WeakMap<Duplex, number>();
  const answer = (request: ClientRequest, response: ClientResponse) =>
    inTurn(waiting, { request, response }, () => {
      answers.set(request.socket, response);
      onRequest(request, response);
    });
  server.on('request', answer);
  // Node would ask for the body at once; the handler asks for it when the request may go on.
  server.on('checkContinue', answer);
  // Expectations but 100-continue may be ignored (RFC 9110 §10.1.1); Node would answer 417 without a Status.
  server.on('checkExpectation', answer);
}

function switchProtocols(server: Http2SecureServer, options: ServerOptions, answers: Answers) {
  const { onRequest, onUpgrade, onAgent } = options;
  // Pipelined behind a request whose answer is not out: the connection is not free, and Node has let go of it.
  const isBusy = (socket: Duplex) => answers.get(socket)?.writableFinished === false;
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isBusy(socket)) socket.destroy();
    else if (request.url === CONNECT_PATH) onAgent(request, socket, head);
    else onUpgrade(request, socket, head);
  });
  server.on('connect', (request: ClientRequest, answer: ClientResponse | Duplex) => {
    if ('writeHead' in answer) return onRequest(request, answer);
    if (isBusy(answer)) return void answer.destroy();
    refuseUnread(answer, new TunnelError('method_not_allowed', 'method CONNECT is not served here'), options);
  });
}

/** Requests that Node's parser refuses get a Status too, unless an answer is under way on their connection. */
function answerTrouble(server: Http2SecureServer, options: ServerOptions, answers: Answers): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const answer = answers.get(socket);
    const isFree = answer === undefined || !answer.headersSent || answer.writableFinished;
    if (!error.code?.startsWith('HPE_') || !socket.writable || !isFree) {
      socket.destroy();
      return;
    }
    const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
    const kind = isTooLarge ? 'headers_too_large' : 'bad_request';
    const message = isTooLarge ? `more than ${MAX_HEADERS_BYTES} bytes of headers` : 'the request is not HTTP/1.1';
    refuseUnread(socket, new TunnelError(kind, message), options);
  });
  server.on('sessionError', () => {
    // A client broke HTTP/2: its session is gone, and nobody is left to answer.
  });
}

/**
 * A pipelined request waits for its turn. Node would hand it over while the connection still belongs to the answer before,
 * and would not say when that connection is gone. Node bounds what is answered too early, not what waits.
 */
function inTurn(waiting: WeakMap<Duplex, number>, { request, response }: Asked, run: () => void): void {
  if (!(response instanceof ServerResponse) || response.socket !== null) return run();
  const { socket } = request;
  const count = waiting.get(socket) ?? 0;
  if (count >= MAX_PIPELINED) {
    socket.destroy();
    return;
  }
  waiting.set(socket, count + 1);
  response.once('socket', () => {
    waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
    run();
  });
}

function trackSockets(server: Http2SecureServer): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true);
    // Long-running requests have no deadline: what else would tell that a silent client is gone?
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function limitSessions(server: Http2SecureServer, limits: IdleLimits): void {
  let socket: TLSSocket;
  // Node makes a session of it in the same turn, and lets nobody get from that to its connection.
  server.prependListener('secureConnection', (connected: TLSSocket) => {
    socket = connected;
  });
  server.on('session', (session) => {
    limitIdleness(session, limits);
    endWhenDead(session, socket, limits.clock);
  });
}

function trackSessions(server: Http2SecureServer): ReadonlySet<Http2Session> {
  const sessions = new Set<Http2Session>();
  server.on('session', (session: Http2Session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  return sessions;
}

async function closeAll(server: Http2SecureServer, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const gone = [...sockets].map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
  for (const socket of sockets) socket.destroy();
  await Promise.all([closed, ...gone]);
}
