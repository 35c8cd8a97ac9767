import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Authority } from '../../hack/lab/cluster/certificates.ts';

/** What an API server saw of one request. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  bodyBytes: number;
  readonly chunks: Buffer[];
  /** Of the body, hex; empty until the whole of it came. */
  sha256: string;
  rawTrailers: readonly string[];
  /** The whole body came. */
  isWhole: boolean;
  /** The client went away before its answer was complete. */
  isAborted: boolean;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, received: Received) => void;
export type UpgradeAnswer = (request: IncomingMessage, socket: Duplex, firstBytes: Buffer) => void;

/** A real HTTPS server on loopback that answers as it is told and remembers what it saw. */
export class StubUpstream {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  readonly ca: string;
  readonly received: Received[] = [];
  /** How to answer. Settable at any time. */
  answer: Answer = (_, response) => response.end('ok');
  /** How to answer requests that ask for an upgrade. The connection is the answerer's from then on. */
  upgrade: UpgradeAnswer = (_, socket) => socket.destroy();
  /** Whether bodies are read; when not, the kernel's buffers fill. */
  readsBodies = true;
  /** Bodies are kept for `received.chunks`. */
  keepsBodies = true;

  private constructor(server: Server, ca: string) {
    this.#server = server;
    this.ca = ca;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => this.#handle(request, response));
    server.on('checkExpectation', (request, response) => this.#handle(request, response));
    server.on('upgrade', (request, socket, firstBytes) => this.upgrade(request, socket, firstBytes));
  }

  static async start(): Promise<StubUpstream> {
    const authority = await Authority.create('stub upstream');
    const pair = await authority.server('stub', { dns: ['localhost'], ip: ['127.0.0.1'] });
    // Either direction of an upgraded connection may end first.
    const halfOpen = { allowHalfOpen: true };
    const server = createServer({ key: pair.keyPem, cert: pair.certificatePem, ...halfOpen });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new StubUpstream(server, authority.certificatePem);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Open connections. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** The request that came last. */
  get last(): Received {
    const received = this.received.at(-1);
    if (received === undefined) throw new Error('no request came');
    return received;
  }

  /** Its connections break, and new ones are refused; until `comeBack`. */
  async goAway(): Promise<void> {
    this.#port = (this.#server.address() as AddressInfo).port;
    await this.close();
  }

  /** Where it was. */
  async comeBack(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Breaks the connection that a request came on: no FIN. */
  break({ socket }: IncomingMessage): void {
    for (const tcp of this.#sockets) if (tcp.remotePort === socket.remotePort) tcp.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', rawHeaders } = request;
    const received: Received = {
      ...{ method, url, rawHeaders, bodyBytes: 0, chunks: [], sha256: '', rawTrailers: [] },
      ...{ isWhole: false, isAborted: false },
    };
    const hash = createHash('sha256');
    this.received.push(received);
    response.once('close', () => {
      received.isAborted = !response.writableFinished;
    });
    request.on('end', () => {
      received.isWhole = request.complete;
      received.rawTrailers = request.rawTrailers;
      received.sha256 = hash.digest('hex');
    });
    // An aborted request is what several tests are about.
    request.on('error', () => {});
    response.on('error', () => {});
    if (this.readsBodies) {
      request.on('data', (chunk: Buffer) => {
        received.bodyBytes += chunk.length;
        hash.update(chunk);
        if (this.keepsBodies) received.chunks.push(chunk);
      });
    }
    this.answer(request, response, received);
  }
}

/** Values of a header in a raw list, in order. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name.toLowerCase());
}
