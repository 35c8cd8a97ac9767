/** A chunk that pins more than this many times its own size is copied while it waits. */
const PINNED_SHARE = 4;

/**
 * A request body on its way from a stream to the upstream's socket. It is as long as the peer's credit allows: credit goes
 * back (`consume`) when the socket has taken a chunk, which is when the next one is asked for.
 */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #consume: (bytes: number) => void;
  readonly #chunks: Uint8Array[] = [];
  /** Bytes pushed and not yet given back. */
  #owedBytes = 0;
  /** Bytes of the chunk that the reader holds. */
  #inHandBytes = 0;
  #isEnded = false;
  #isDiscarding = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** `consume` returns credit to the sender, in bytes. */
  constructor(consume: (bytes: number) => void) {
    this.#consume = consume;
  }

  /** Nothing came and nothing will. */
  get isEmpty(): boolean {
    return this.#isEnded && this.#chunks.length === 0 && this.#inHandBytes === 0;
  }

  /** Bytes that wait or are in the reader's hand. */
  get owedBytes(): number {
    return this.#owedBytes;
  }

  push(chunk: Uint8Array): void {
    if (this.#isDiscarding) return this.#consume(chunk.length);
    this.#owedBytes += chunk.length;
    this.#chunks.push(unpinned(chunk));
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** Nobody reads any more: the reader gets `error`, what waits is dropped, what still comes is swallowed. */
  discard(error: Error): void {
    if (this.#isDiscarding) return;
    this.#isDiscarding = true;
    this.#error = error;
    this.#chunks.length = 0;
    this.#inHandBytes = 0;
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    if (bytes > 0) this.#consume(bytes);
    this.#wake?.();
  }

  /** One reader, once. @throws the error given to discard: a cut body must never look complete. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      this.#giveBack();
      if (this.#error !== undefined) throw this.#error;
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#inHandBytes = chunk.length;
        yield chunk;
        continue;
      }
      if (this.#isEnded) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #giveBack(): void {
    const bytes = this.#inHandBytes;
    if (bytes === 0) return;
    this.#inHandBytes = 0;
    this.#owedBytes -= bytes;
    this.#consume(bytes);
  }
}

/** The chunk, or a copy when it would keep a much larger message alive. */
function unpinned(chunk: Uint8Array): Uint8Array {
  return chunk.length * PINNED_SHARE < chunk.buffer.byteLength ? Uint8Array.from(chunk) : chunk;
}
