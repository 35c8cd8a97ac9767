import type { Timer } from '../../../tunnel/flow/timer.ts';
import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { StreamEvents } from '../../../tunnel/session/stream.ts';
import type { ResponseHead } from '../../../tunnel/wire/head.ts';

/** Handed over at once. */
const CHUNK_BYTES = 64 * 1024;
/** Handed over and not taken: then it waits for its owner. */
const WINDOW_BYTES = 256 * 1024;

/** An answer out of memory as a request's stream: it begins in the next microtask, and goes on as its owner takes it. */
export class KeptStream implements RequestStream {
  readonly #head: ResponseHead;
  readonly #clock: Timer;
  readonly #chunks: readonly Uint8Array[];
  #owner: StreamEvents | undefined;
  /** Next to be handed over: of which chunk, from which byte. */
  #chunk = 0;
  #offset = 0;
  #untakenBytes = 0;
  #isPumping = false;
  #isOver = false;

  constructor(head: ResponseHead, chunks: readonly Uint8Array[], clock: Timer) {
    this.#head = head;
    this.#chunks = head.status === 304 ? [] : chunks;
    this.#clock = clock;
  }

  attach(owner: StreamEvents): void {
    this.#owner = owner;
    queueMicrotask(() => {
      if (this.#isOver) return;
      owner.onHead?.(this.#head);
      this.#pump();
    });
  }

  /** Nobody reads the request any more. */
  write(): boolean {
    return true;
  }

  end(): void {}

  consume(bytes: number): void {
    this.#untakenBytes -= bytes;
    this.#pump();
  }

  reset(): void {
    this.#isOver = true;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#clock.after(delayMs, run);
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isOver && this.#untakenBytes < WINDOW_BYTES) this.#step();
    this.#isPumping = false;
  }

  #step(): void {
    const chunk = this.#chunks[this.#chunk];
    if (chunk === undefined) {
      this.#isOver = true;
      this.#owner?.onEnd([]);
      this.#owner?.onClose();
      return;
    }
    const part = chunk.subarray(this.#offset, this.#offset + CHUNK_BYTES);
    this.#offset += part.length;
    if (this.#offset >= chunk.length) {
      this.#chunk += 1;
      this.#offset = 0;
    }
    this.#untakenBytes += part.length;
    this.#owner?.onData(part);
  }
}
