import type { Transport, TransportEvents } from '../../../tunnel/session/transport.ts';

/** A connection whose system takes no more bytes once it is stuck; what the other side sends still comes. */
export class StuckTransport implements Transport {
  readonly #inner: Transport;
  isStuck = false;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  send(message: Uint8Array, written: () => void): void {
    if (!this.isStuck) this.#inner.send(message, written);
  }

  listen(events: TransportEvents): void {
    this.#inner.listen(events);
  }

  close(reason: string): void {
    this.#inner.close(reason);
  }

  destroy(): void {
    this.#inner.destroy();
  }
}
