import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Authority } from '../../lab/cluster/certificates.ts';

/** One request as the upstream sees it; the case answers. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Resolves when the connection of this request is gone, or its answer was sent whole. */
  readonly closed: Promise<'answered' | 'aborted'>;
}

/** A stub of the API server beside an agent: HTTPS, answers what cases say. `/version` and `/readyz` are answered by itself. */
export class Upstream {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly ca: string;
  readonly asked: Asked[] = [];
  readonly upgrades: { request: IncomingMessage; socket: Duplex; first: Buffer }[] = [];
  readonly #changed = new Set<() => void>();

  private constructor(server: Server, ca: string) {
    this.#server = server;
    this.ca = ca;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => this.#ask(request, response));
    server.on('upgrade', (request, socket, first) => {
      socket.on('error', () => {});
      this.upgrades.push({ request, socket, first });
      this.#news();
    });
  }

  static async start(): Promise<Upstream> {
    const authority = await Authority.create('tunnelspec upstream');
    const pair = await authority.server('upstream', { dns: ['localhost'], ip: ['127.0.0.1'] });
    const halfOpen = { allowHalfOpen: true };
    const server = createServer({ key: pair.keyPem, cert: pair.certificatePem, ...halfOpen });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Upstream(server, authority.certificatePem);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The request for this path; waits for it. */
  next(path: string, withinMs = 3_000): Promise<Asked> {
    return this.#until(
      `the upstream to be asked for ${path}`,
      () => this.asked.find(({ request }) => request.url === path),
      withinMs,
    );
  }

  nextUpgrade(path: string, withinMs = 3_000) {
    const look = () => this.upgrades.find(({ request }) => request.url === path);
    return this.#until(`the upstream to be asked to upgrade ${path}`, look, withinMs);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #ask(request: IncomingMessage, response: ServerResponse): void {
    request.on('error', () => {});
    response.on('error', () => {});
    if (request.url === '/version' || request.url === '/readyz') {
      response.end('{"gitVersion":"v1.34.1","major":"1","minor":"34"}');
      return;
    }
    const closed = new Promise<'answered' | 'aborted'>((resolve) => {
      response.once('close', () => resolve(response.writableFinished ? 'answered' : 'aborted'));
    });
    this.asked.push({ request, response, closed });
    this.#news();
  }

  #until<R>(what: string, look: () => R | undefined, withinMs: number): Promise<R> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const result = look();
        if (result === undefined) return;
        clearTimeout(timer);
        this.#changed.delete(check);
        resolve(result);
      };
      const timer = setTimeout(() => {
        this.#changed.delete(check);
        reject(new Error(`expected ${what} within ${withinMs} ms`));
      }, withinMs);
      this.#changed.add(check);
      check();
    });
  }

  #news(): void {
    for (const check of [...this.#changed]) check();
  }
}
