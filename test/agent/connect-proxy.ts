import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** An HTTP proxy that knows CONNECT, and counts. */
export class ConnectProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** host:port of each CONNECT. */
  readonly destinations: string[] = [];
  readonly requests: IncomingMessage[] = [];
  /** Everything that clients sent, latin1. */
  heard = '';
  /** What to answer instead of opening the way; `hangs`: nothing at all, `leaves`: a FIN. */
  refusal: number | 'hangs' | 'leaves' | undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    server.on('connect', (request, socket) => this.#connect(request, socket));
  }

  static async start(): Promise<ConnectProxy> {
    const server = createServer((_, response) => response.writeHead(405).end());
    server.listen(0, 'localhost');
    await once(server, 'listening');
    return new ConnectProxy(server);
  }

  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Of clients, open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Cuts every connection, as a network does that fails. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #connect(request: IncomingMessage, client: Duplex): void {
    this.requests.push(request);
    this.destinations.push(request.url ?? '');
    if (this.refusal === 'hangs') {
      client.resume().once('end', () => client.destroy());
      return;
    }
    if (this.refusal === 'leaves') return void client.end();
    if (this.refusal !== undefined) {
      client.end(`HTTP/1.1 ${this.refusal} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`tcp://${request.url}`);
    const target = connect({ host: hostname, port: Number(port), noDelay: true });
    target.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.on('data', (chunk: Buffer) => {
        this.heard += chunk.toString('latin1');
      });
      client.pipe(target).pipe(client);
    });
    // Who ends one direction ends the connection, as with most proxies.
    client.once('end', () => target.destroySoon());
    target.on('error', () => client.destroy());
    target.once('close', () => client.destroy());
    client.once('close', () => target.destroy());
  }
}
