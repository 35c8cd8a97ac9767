import type { IncomingMessage } from 'node:http';
import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MAX_HEADERS_BYTES } from '../../../tunnel/request-headers.ts';
import { CONNECT_PATH } from '../../../tunnel/session/settings.ts';
import type { ClientRequest, ClientResponse } from './answer.ts';
import { fault } from './fault.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

/** A TLS handshake, or the head of a request, takes no longer. */
const HEAD_TIMEOUT_MS = 10_000;
/** Idle connections are kept longer than load balancers do. */
const KEEP_ALIVE_MS = 90_000;
const MAX_STREAMS_PER_CONNECTION = 250;

export interface ServingCertificate {
  /** PEM, leaf first. */
  readonly cert: string;
  readonly key: string;
}

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly certificate: ServingCertificate;
  readonly onRequest: (request: ClientRequest, response: ClientResponse) => void;
  readonly onAgent: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface GatewayServer {
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** New handshakes use it; running connections keep theirs. */
  setCertificate(certificate: ServingCertificate): void;
  /** Accepts no more, asks clients to leave, ends idle connections. */
  drain(): void;
  /** Ends everything. */
  close(): Promise<void>;
}

/** One TLS listener, HTTP/2 and HTTP/1.1, with two doors: clients and agents. */
export async function startServer(options: ServerOptions): Promise<GatewayServer> {
  const { host, port, certificate, onRequest, onAgent } = options;
  const server = createSecureServer({
    ...certificate,
    allowHTTP1: true,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HEAD_TIMEOUT_MS,
    settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION, maxHeaderListSize: MAX_HEADERS_BYTES },
    maxHeaderSize: MAX_HEADERS_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: 0,
  } as Parameters<typeof createSecureServer>[0]);
  Object.assign(server, { maxHeadersCount: 0 });
  const sockets = trackSockets(server);
  const sessions = trackSessions(server);
  server.on('request', onRequest);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url === CONNECT_PATH) return onAgent(request, socket, head);
    refuseUpgrade(socket, fault('upgrade_unsupported', 'exec, attach and port-forward are not served by this version'));
  });
  server.on('sessionError', () => {
    // A client broke HTTP/2: its session is gone, and nobody is left to answer.
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size;
    },
    setCertificate: (next) => server.setSecureContext(next),
    drain: () => {
      server.close();
      for (const session of sessions) session.close();
    },
    close: () => closeAll(server, sockets),
  };
}

function trackSockets(server: Http2SecureServer): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
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
  for (const socket of sockets) socket.destroy();
  await closed;
}
