import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to the upstream that can be held: then it takes connections, and nothing comes of them. */
export class HoldingRelay {
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #passing = new Set<Socket>();
  readonly #held = new Set<Socket>();
  #isHolding = false;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** `targetPort`: on loopback. */
  static async open(targetPort: number): Promise<HoldingRelay> {
    const relay = new HoldingRelay(targetPort);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that wait. */
  get held(): number {
    return this.#held.size;
  }

  /** Those that passed are cut: whoever wants something dials again, and is held. */
  hold(): void {
    this.#isHolding = true;
    for (const socket of this.#passing) socket.destroy();
  }

  /** Whoever still waits goes on. */
  release(): void {
    this.#isHolding = false;
    for (const socket of this.#held) this.#pass(socket);
    this.#held.clear();
  }

  close(): void {
    this.#server.close();
    for (const socket of [...this.#passing, ...this.#held]) socket.destroy();
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {}); // 'close' says the rest
    if (!this.#isHolding) return this.#pass(socket);
    this.#held.add(socket);
    // Only a socket that is read hears of its end; what it says before it passes is kept by nobody but the system.
    socket.once('close', () => this.#held.delete(socket));
  }

  #pass(socket: Socket): void {
    const target = connect({ host: '127.0.0.1', port: this.#targetPort });
    this.#passing.add(socket);
    target.on('error', () => socket.destroy());
    socket.pipe(target).pipe(socket);
    socket.once('close', () => {
      this.#passing.delete(socket);
      target.destroy();
    });
    target.once('close', () => socket.destroy());
  }
}
