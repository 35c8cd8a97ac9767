import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Authority } from '../../lab/cluster/certificates.ts';
import { pattern } from '../../load/pattern.ts';
import { serve } from '../../load/serve.ts';

/** An API server as far as load goes: answers by query, and counts what it was allowed to send. */

const CHUNK_BYTES = 64 * 1024;
const SMALL = JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', data: { text: 'x'.repeat(900) } });

/** What was handed to the system of one marked answer, in bytes, and how it stands. */
export interface Sent {
  readonly bytes: number;
  readonly isOpen: boolean;
}

const sent = new Map<string, { bytes: number; response: ServerResponse }>();
let open = 0;

const methods = {
  async start() {
    const authority = await Authority.create('bench upstream');
    const pair = await authority.server('upstream', { dns: ['localhost'], ip: ['127.0.0.1'] });
    const server = createServer({ key: pair.keyPem, cert: pair.certificatePem }, (request, response) => {
      open += 1;
      response.once('close', () => {
        open -= 1;
      });
      answer(request, response);
    });
    server.keepAliveTimeout = 90_000;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, ca: authority.certificatePem };
  },

  /** Of the answers to requests with `mark` in their query. */
  sent(marks: readonly string[]): Sent[] {
    return marks.map((mark) => {
      const { bytes = 0, response } = sent.get(mark) ?? {};
      return { bytes: bytes - (response?.writableLength ?? 0), isOpen: response?.closed === false };
    });
  },

  /** Requests without a complete answer. */
  open: () => open,
};

export type UpstreamMethods = typeof methods;

serve(methods);

/** `?bytes=N`: a body of N bytes of the pattern; `follow=true`: one without end; `hang=true`: none. Else: a small object. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'https://upstream');
  const { searchParams: query } = url;
  request.resume();
  if (query.has('hang')) return;
  const bytes = query.has('follow') ? Number.POSITIVE_INFINITY : Number(query.get('bytes') ?? 0);
  if (url.pathname === '/version') return void response.end('{"gitVersion":"v1.36.3"}');
  if (bytes === 0) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': SMALL.length });
    return void response.end(SMALL);
  }
  const length = Number.isFinite(bytes) ? { 'content-length': bytes } : {};
  response.writeHead(200, { 'content-type': 'application/octet-stream', ...length });
  pour(response, bytes, query.get('mark') ?? '');
}

/** As fast as it is taken. */
function pour(response: ServerResponse, bytes: number, mark: string): void {
  const counted = { bytes: 0, response };
  if (mark !== '') sent.set(mark, counted);
  const more = () => {
    while (counted.bytes < bytes && !response.destroyed) {
      const chunk = pattern(counted.bytes, Math.min(CHUNK_BYTES, bytes - counted.bytes));
      counted.bytes += chunk.length;
      if (!response.write(chunk)) return;
    }
    response.end();
  };
  response.on('drain', more);
  more();
}
