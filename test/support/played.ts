import type { Transport, TransportEvents } from '../../tunnel/session/transport.ts';

/** A connection whose peer is a script: it takes what is sent, and delivers what it is told to. */
export class Played implements Transport {
  readonly #onSend: (message: Uint8Array) => void;
  #events: TransportEvents | undefined;
  #isOver = false;

  /** `onSend` sees each message when it is sent; its memory is used again afterwards. */
  constructor(onSend: (message: Uint8Array) => void = () => {}) {
    this.#onSend = onSend;
  }

  send(message: Uint8Array, written: () => void): void {
    this.#onSend(message);
    setImmediate(written);
  }

  listen(events: TransportEvents): void {
    this.#events = events;
  }

  close(): void {
    this.#isOver = true;
  }

  destroy(): void {
    this.#isOver = true;
  }

  /** A message of the peer; none after the session closed the connection. */
  deliver(message: Uint8Array): void {
    if (!this.#isOver) this.#events?.onMessage(message);
  }

  /** The peer's connection is gone. */
  over(): void {
    this.#isOver = true;
    this.#events?.onClose('the connection closed');
  }
}
