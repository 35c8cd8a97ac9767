import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a server that can be cut and mended: the address stays. */
export class Relay {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #isHolding = false;
  /** Bytes of the server that did not arrive. */
  heldBytes = 0;

  private constructor(targetUrl: string) {
    const { hostname, port } = new URL(targetUrl);
    this.#target = { host: hostname, port: Number(port) };
  }

  /** A relay to the host and port of `targetUrl`. */
  static async open(targetUrl: string): Promise<Relay> {
    const relay = new Relay(targetUrl);
    await relay.mend();
    return relay;
  }

  /** Where it listens: https, because that is what passes through. */
  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** From now on nothing of the server arrives any more, though its connections stay; until they are cut. */
  hold(): void {
    this.#isHolding = true;
  }

  /** From now on connections are refused, and those that are open end. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Connections pass again. */
  async mend(): Promise<void> {
    this.#isHolding = false;
    const server = createServer((client) => this.#pass(client));
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.#port = address.port;
    this.#server = server;
  }

  #pass(client: Socket): void {
    const server = connect(this.#target);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('data', (chunk) => {
        if (socket === server && this.#isHolding) this.heldBytes += chunk.length;
        else other.write(chunk);
      });
      socket.once('end', () => other.end());
      // What the relay tells of an error is that the other side ends too.
      socket.on('error', () => {});
      socket.once('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
