import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { SUBPROTOCOL } from '../../../tunnel/session/settings.ts';
import { RawPeer } from '../peer.ts';

/** Both PEM. */
export interface Presented {
  readonly cert: string;
  readonly key: string;
}

export interface Listening extends Presented {
  readonly host: string;
  readonly port: number;
}

/** One upgrade that an agent asked for. */
export interface Attempt {
  readonly request: IncomingMessage;
  /** undefined when it was refused. */
  readonly peer: RawPeer | undefined;
}

/** A gateway's agents' door without a gateway: real TLS and WebSocket, and cases that decide the rest. */
export class RawGateway {
  readonly #server: Server;
  readonly #own: Presented;
  readonly #door = new WebSocketServer({
    noServer: true,
    // Taken up if the agent offers it, so that one that does shows it.
    perMessageDeflate: true,
    skipUTF8Validation: true,
    handleProtocols: () => SUBPROTOCOL,
  });
  readonly #sockets = new Set<Socket>();
  readonly attempts: Attempt[] = [];
  /** TCP connections that came, whatever became of them. */
  dialed = 0;
  /** Most of them at once that had neither become a session nor been refused. */
  mostPending = 0;
  /** Bytes that came inside TLS. */
  receivedBytes = 0;
  /** What agents are answered instead of being let in. */
  refusal: number | undefined;
  /** Ports of connections that have neither become a session nor been refused. */
  readonly #pending = new Set<number>();
  #taken = 0;
  readonly #changed = new Set<() => void>();

  private constructor(server: Server, own: Presented) {
    this.#server = server;
    this.#own = own;
    server.on('connection', (socket: Socket) => this.#connected(socket));
    server.on('secureConnection', (socket) => {
      socket.on('error', () => {});
      socket.prependListener('data', (chunk: Buffer) => {
        this.receivedBytes += chunk.length;
        this.#news();
      });
    });
    server.on('tlsClientError', () => {});
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start({ host, port, cert, key }: Listening): Promise<RawGateway> {
    const server = createServer({ cert, key });
    server.listen(port, host);
    await once(server, 'listening');
    return new RawGateway(server, { cert, key });
  }

  /** TCP connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next upgrade that no call took before. */
  async attempt(withinMs: number): Promise<Attempt> {
    const attempt = await this.until('the agent to connect', () => this.attempts[this.#taken], withinMs);
    this.#taken += 1;
    return attempt;
  }

  /** Forgets upgrades that no case took: they belong to nobody. */
  skipTaken(): void {
    this.#taken = this.attempts.length;
  }

  until<R>(what: string, look: () => R | undefined, withinMs: number): Promise<R> {
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

  /** From now on the gateway shows this certificate; its own again when none is given. */
  present(shown: Presented = this.#own): void {
    this.#server.setSecureContext({ cert: shown.cert, key: shown.key });
  }

  /** Counts attempts that are under way from now on. */
  recount(): void {
    this.mostPending = this.#pending.size;
  }

  /** Cuts every connection at once. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    this.dialed += 1;
    const { remotePort = 0 } = socket;
    this.#pending.add(remotePort);
    this.mostPending = Math.max(this.mostPending, this.#pending.size);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#pending.delete(remotePort);
      this.#news();
    });
    this.#news();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.refusal !== undefined) {
      this.#pending.delete(request.socket.remotePort ?? 0);
      this.attempts.push({ request, peer: undefined });
      socket.end(`HTTP/1.1 ${this.refusal} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return this.#news();
    }
    this.#door.handleUpgrade(request, socket, head, (webSocket) => {
      this.#pending.delete(request.socket.remotePort ?? 0);
      this.attempts.push({ request, peer: new RawPeer(webSocket) });
      this.#news();
    });
  }

  #news(): void {
    for (const check of [...this.#changed]) check();
  }
}
