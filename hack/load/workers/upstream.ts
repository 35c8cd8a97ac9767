import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
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
  const { id, attempt, tunnel, user, requestBytes, holdMs } = asked;
  count += 1;
  const key = `${process.pid}-${count}`;
  const { method = '', headers } = request;
  const impersonates = String(headers['impersonate-user'] ?? '');
  // Each agent shows its own name as the token of its service account.
  const agent = String(headers.authorization ?? '').replace(/^Bearer /, '');
  const what = { id, attempt, tunnel, agent, method, user, impersonates, requestBytes };
  journal.write({ event: 'began', key, ...what, beganMs: monotonicMs() });
  response.once('close', () => journal.write({ event: 'ended', key, atMs: monotonicMs() }));
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

function answer(asked: Asked, response: ServerResponse): void {
  if (response.destroyed) return;
  const { answerBytes, isUnsized, isWatch } = asked;
  const length = isUnsized || isWatch ? {} : { 'content-length': answerBytes };
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'x-load-answers': attemptText(asked),
    ...length,
  });
  if (isWatch) return tell(asked, response);
  pour(response, { from: bodyOffset(asked, 'answer'), bytes: answerBytes });
}

/** As fast as it is taken. */
function pour(response: ServerResponse, { from, bytes }: { readonly from: number; readonly bytes: number }): void {
  let sent = 0;
  const more = () => {
    while (sent < bytes && !response.destroyed) {
      const chunk = pattern(from + sent, Math.min(CHUNK_BYTES, bytes - sent));
      sent += chunk.length;
      if (!response.write(chunk)) return;
    }
    response.end();
  };
  response.on('drain', more);
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
