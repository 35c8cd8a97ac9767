import { expect } from 'chai';
import type { Transport } from '../../tunnel/session/transport.ts';
import { decodeMessage } from '../../tunnel/wire/decode.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';

interface Sent {
  readonly message: Uint8Array;
  /** As it was when it was sent. */
  readonly asSent: Buffer;
  readonly written: () => void;
}

/**
 * A connection whose system takes messages when it is told to. Until then their memory belongs to it: a message that changes meanwhile,
 * or whose memory is handed over again, is an error.
 */
export class SlowPipe implements Transport {
  /** What the system took, in order. */
  readonly taken: Frame[] = [];
  readonly #waiting: Sent[] = [];
  readonly #slabs = new Set<ArrayBufferLike>();

  get waiting(): number {
    return this.#waiting.length;
  }

  send(message: Uint8Array, written: () => void): void {
    expect(this.#slabs.has(message.buffer), 'memory that was handed over is used again').to.equal(false);
    this.#slabs.add(message.buffer);
    this.#waiting.push({ message, asSent: Buffer.from(message), written });
  }

  /** The system takes the oldest messages. */
  take(count = this.#waiting.length): void {
    for (const { message, asSent, written } of this.#waiting.splice(0, count)) {
      expect(asSent.equals(message), 'a message stays as it was sent until it is written').to.equal(true);
      decodeMessage(asSent, (frame) => this.taken.push(frame));
      this.#slabs.delete(message.buffer);
      written();
    }
  }

  listen(): void {}
  close(): void {}
  destroy(): void {}
}
