import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Asked, askedOf, attemptText, bodyOffset } from '../asked.ts';
import type { UpstreamLine } from '../executions.ts';
import { Journal } from '../journal.ts';
import { monotonicMs } from '../monotonic.ts';
import { PatternCheck, pattern } from '../pattern.ts';
import { serve } from '../serve.ts';

/** An API server as far as load goes: it does what each request says of itself, and writes down all it saw. */

/** As the API server: it closes idle connections after 90 s. */
const KEEP_ALIVE_MS = 90_000;
const CHUNK_BYTES = 16 * 1024;
/** A watch tells something this often. */
const WATCH_EVERY_MS = 50;
const WATCH_BYTES = 300;
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n';

export interface UpstreamStart {
  readonly key: string;
  readonly certificate: string;
  /** 0: any. */
  readonly port: number;
  readonly journalPath: string;
}

let count = 0;

const methods = {
  /** Resolves with its port. */
  async start({ key, certificate, port, journalPath }: UpstreamStart): Promise<number> {
    const journal = new Journal<UpstreamLine>(journalPath);
    const server = createServer({ key, cert: certificate }, (request, response) => {
      const asked = askedOf(request.url ?? '/');
      if (asked === undefined) unasked(request, response);
      else execute(asked, { request, response, journal });
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex) => upgrade({ request, socket, journal }));
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
};

export type UpstreamMethods = typeof methods;

serve(methods);

/** The agent's probes. */
function unasked(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"gitVersion":"v1.36.3"}');
}

interface Executing {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly journal: Journal<UpstreamLine>;
}

function execute(asked: Asked, { request, response, journal }: Executing): void {
  const key = begin(asked, request, journal);
  const { holdMs } = asked;
  response.once('close', () => {
    journal.write({ event: 'ended', key, atMs: monotonicMs(), isWhole: response.writableFinished });
  });
  response.on('error', () => {}); // 'close' says that it ended
  const body = new PatternCheck(bodyOffset(asked, 'request'));
  request.on('data', (chunk: Buffer) => body.feed(chunk));
  request.on('error', () => {}); // a body that never ended is written down as such
  request.once('end', () => {
    if (!request.complete) return;
    journal.write({ event: 'body', key, bytes: body.bytes, isIntact: body.isIntact });
    setTimeout(() => answer(asked, response), holdMs);
  });
}

/** Writes down that it began. @returns its key */
function begin(asked: Asked, { method = '', headers }: IncomingMessage, journal: Journal<UpstreamLine>): string {
  const { id, attempt, tunnel, user, requestBytes } = asked;
  count += 1;
  const key = `${process.pid}-${count}`;
  const impersonates = String(headers['impersonate-user'] ?? '');
  // Each agent shows its own name as the token of its service account.
  const agent = String(headers.authorization ?? '').replace(/^Bearer /, '');
  const what = { id, attempt, tunnel, agent, method, user, impersonates, requestBytes };
  journal.write({ event: 'began', key, ...what, beganMs: monotonicMs() });
  return key;
}

interface Upgrading {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly journal: Journal<UpstreamLine>;
}

/** As exec, though whatever is sent comes back. */
function upgrade({ request, socket, journal }: Upgrading): void {
  const asked = askedOf(request.url ?? '/');
  if (asked === undefined) return void socket.destroy();
  const key = begin(asked, request, journal);
  socket.once('close', () => journal.write({ event: 'ended', key, atMs: monotonicMs(), isWhole: false }));
  socket.on('error', () => {}); // 'close' says that it ended
  setTimeout(() => {
    if (socket.destroyed) return;
    socket.write(`${SWITCHING}sec-websocket-accept: ${acceptOf(request)}\r\n\r\n`);
    socket.pipe(socket);
  }, asked.holdMs);
}

/** RFC 6455, section 4.2.2. */
function acceptOf({ headers }: IncomingMessage): string {
  const key = `${headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  return createHash('sha1').update(key).digest('base64');
}

function answer(asked: Asked, response: ServerResponse): void {
  if (response.destroyed) return;
  const { answerBytes, isUnsized, isWatch, dripMs } = asked;
  const length = isUnsized || isWatch ? {} : { 'content-length': answerBytes };
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'x-load-answers': attemptText(asked),
    ...length,
  });
  if (isWatch) return tell(asked, response);
  pour(response, { from: bodyOffset(asked, 'answer'), bytes: answerBytes, dripMs });
}

interface Pouring {
  readonly from: number;
  readonly bytes: number;
  readonly dripMs: number;
}

/** As fast as it is taken, unless it is to drip. */
function pour(response: ServerResponse, { from, bytes, dripMs }: Pouring): void {
  let sent = 0;
  const one = () => {
    const chunk = pattern(from + sent, Math.min(CHUNK_BYTES, bytes - sent));
    sent += chunk.length;
    return response.write(chunk);
  };
  const more = () => {
    while (sent < bytes && !response.destroyed) {
      const hasRoom = one();
      if (dripMs > 0) return void setTimeout(more, dripMs);
      if (!hasRoom) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

/** A little now and then, for as long as somebody listens. */
function tell(asked: Asked, response: ServerResponse): void {
  response.flushHeaders();
  let sent = bodyOffset(asked, 'answer');
  const timer = setInterval(() => {
    response.write(pattern(sent, WATCH_BYTES));
    sent += WATCH_BYTES;
  }, WATCH_EVERY_MS);
  response.once('close', () => clearInterval(timer));
}
