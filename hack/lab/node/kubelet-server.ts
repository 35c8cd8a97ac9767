import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { KeyPair } from '../cluster/certificates.ts';
import { KUBELET_CLIENT } from '../cluster/pki.ts';
import type { ContainerLog } from './container-log.ts';
import { followFrom, logQuery, serveLog } from './log-request.ts';

/** What the server asks of the node: a log, or a sentence why there is none. */
export type LogLookup = (pod: {
  namespace: string;
  name: string;
  container: string;
  previous: boolean;
}) => ContainerLog | string;

export interface KubeletServerOptions {
  readonly host: string;
  readonly serving: KeyPair;
  readonly clientCaPem: string;
  readonly logOf: LogLookup;
}

const NOT_SUPPORTED =
  'The process node runs pods as plain processes: it serves logs, but not exec, attach, port-forward or run. Use real nodes for those.\n';

/** The part of the kubelet's API that `kubectl logs` needs; only the API server's client certificate is let in. */
export class KubeletServer {
  readonly #server: Server;
  readonly #options: KubeletServerOptions;

  constructor(options: KubeletServerOptions) {
    this.#options = options;
    const { serving, clientCaPem } = options;
    this.#server = createServer(
      {
        cert: serving.certificatePem,
        key: serving.keyPem,
        ca: clientCaPem,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) => this.#handle(request, response),
    );
    this.#server.on('upgrade', (request: IncomingMessage, socket: TLSSocket) => {
      const [status, text] = isApiServer(request)
        ? ['501 Not Implemented', NOT_SUPPORTED]
        : ['403 Forbidden', 'Forbidden\n'];
      const head = `content-type: text/plain\r\ncontent-length: ${text.length}\r\nconnection: close`;
      socket.on('error', () => {}); // the API server hung up on the refusal
      // Nobody counts an upgraded connection any more: left half open it would keep `stop` waiting for the API server's end.
      socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${text}`, () => socket.destroy());
    });
  }

  /** Listens on a port that the system chooses; returns it. */
  start(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: this.#options.host, port: 0 }, () =>
        resolve((this.#server.address() as AddressInfo).port),
      );
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const [, kind, namespace, name, container] = path.split('/').map(decodeURIComponent);
    if (!isApiServer(request)) return answer(response, 403, 'Only the API server may ask here.\n');
    if (kind === 'healthz') return answer(response, 200, 'ok');
    if (kind !== 'containerLogs') return answer(response, 501, NOT_SUPPORTED);
    if (!namespace || !name || !container)
      return answer(response, 404, 'A log is at /containerLogs/<namespace>/<pod>/<container>.\n');
    const wanted = logQuery(new URLSearchParams(query));
    const log = this.#options.logOf({ namespace, name, container, previous: wanted.previous });
    if (typeof log === 'string') return answer(response, 400, `${log}\n`);
    response.writeHead(200, { 'content-type': 'text/plain' });
    serveLog(log, wanted, response);
    if (!wanted.follow) return void response.end();
    followFrom(log, wanted, response);
  }
}

function isApiServer(request: IncomingMessage): boolean {
  return (request.socket as TLSSocket).getPeerCertificate().subject?.CN === KUBELET_CLIENT;
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(text);
}
