import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Authority } from '../../lab/cluster/certificates.ts';
import { expectEqual } from '../expect.ts';

/** One request as the upstream sees it; the case answers. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Resolves when the connection of this request is gone, or its answer was sent whole. */
  readonly closed: Promise<'answered' | 'aborted'>;
}

/** One connection that was asked to become something else, and what came on it. */
export class Upgraded {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** Resolves when the other side has said all it had to; never when it went away without. */
  readonly ended: Promise<void>;
  #bytes: Buffer;
  #more: () => void = () => {};

  constructor(request: IncomingMessage, socket: Duplex, first: Buffer) {
    this.request = request;
    this.socket = socket;
    this.#bytes = first;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#more();
    });
    this.ended = new Promise((resolve) => socket.once('end', resolve));
  }

  /** @throws Error unless exactly these bytes come soon. */
  async came(expected: Buffer, withinMs = 3_000): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#more = () => {
        if (this.#bytes.length < expected.length) return;
        clearTimeout(timer);
        resolve();
      };
      this.#more();
    });
    expectEqual('the bytes at the upstream', this.#bytes.toString('latin1'), expected.toString('latin1'));
  }
}

/** A stub of the API server beside an agent: HTTPS, answers what cases say. `/version` and `/readyz` are answered by itself. */
export class Upstream {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly ca: string;
  /** Answers for the case. */
  onAsked: ((asked: Asked) => void) | undefined;
  /** What `/readyz` is answered. */
  readiness = 200;
  readonly asked: Asked[] = [];
  readonly upgrades: Upgraded[] = [];
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
      this.upgrades.push(new Upgraded(request, socket, first));
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

  /** As it was before a case steered it. */
  forgetCase(): void {
    this.onAsked = undefined;
    this.readiness = 200;
  }

  /** Resolves when no request is under way any more, or when that takes too long. */
  async quiet(withinMs = 500): Promise<void> {
    // A body that nobody reads hides that its connection is gone.
    for (const { request } of this.asked) request.resume();
    const look = () => this.asked.every(({ response }) => response.closed) || undefined;
    await this.#until('the requests to end', look, withinMs).catch(() => {});
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
    if (request.url === '/readyz') return void response.writeHead(this.readiness).end('ok');
    if (request.url === '/version') return void response.end('{"gitVersion":"v1.34.1","major":"1","minor":"34"}');
    const closed = new Promise<'answered' | 'aborted'>((resolve) => {
      response.once('close', () => {
        resolve(response.writableFinished ? 'answered' : 'aborted');
        this.#news();
      });
    });
    const asked = { request, response, closed };
    this.asked.push(asked);
    this.onAsked?.(asked);
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
