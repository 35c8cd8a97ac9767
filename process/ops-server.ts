import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError } from './redact.ts';

/** undefined: well. Otherwise one sentence that says what is not. */
export type Check = () => string | undefined;

export interface OpsServerOptions {
  readonly host: string;
  readonly port: number;
  readonly live: Check;
  readonly ready: Check;
  /** Prometheus text format. */
  readonly metrics: () => Promise<{ contentType: string; body: string }>;
  /** Counters for tests and people: JSON at /debug/state. */
  readonly state?: () => unknown;
}

export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** /livez, /readyz, /metrics and /debug/state on a plain port of its own. */
export async function startOpsServer(options: OpsServerOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    void answer(options, request.url ?? '/').then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      (error: unknown) => response.writeHead(500).end(`${describeError(error)}\n`),
    );
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function answer(options: OpsServerOptions, url: string) {
  const text = 'text/plain; charset=utf-8';
  const check = (run: Check) => {
    const trouble = run();
    return { status: trouble === undefined ? 200 : 503, type: text, body: `${trouble ?? 'ok'}\n` };
  };
  switch (url.split('?')[0]) {
    case '/livez':
      return check(options.live);
    case '/readyz':
      return check(options.ready);
    case '/metrics': {
      const { contentType, body } = await options.metrics();
      return { status: 200, type: contentType, body };
    }
    case '/debug/state':
      return { status: 200, type: 'application/json', body: `${JSON.stringify(options.state?.() ?? {})}\n` };
    default:
      return { status: 404, type: text, body: 'not found: try /livez, /readyz, /metrics or /debug/state\n' };
  }
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
