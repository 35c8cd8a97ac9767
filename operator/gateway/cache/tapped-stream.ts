import type { Timer } from '../../../tunnel/flow/timer.ts';
import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { StreamEvents } from '../../../tunnel/session/stream.ts';
import type { RawHeaders, ResponseHead } from '../../../tunnel/wire/head.ts';

/** Who listens to an answer while it passes. */
export interface Tap {
  /** Final heads only. A stream: its answer takes the place of this one. */
  onHead(head: ResponseHead): RequestStream | undefined;
  /** A view into the message. */
  onData(chunk: Uint8Array): void;
  onEnd(trailers: RawHeaders): void;
  /** Nothing more comes, or its owner wants no more. */
  onBreak(): void;
}

/** A request's stream with a tap: its owner hears everything at the same time as without, unless the tap puts another answer there. */
export class TappedStream implements RequestStream {
  readonly #stream: RequestStream;
  readonly #tap: Tap;
  readonly #clock: Timer;
  #instead: RequestStream | undefined;

  constructor(stream: RequestStream, tap: Tap, clock: Timer) {
    this.#stream = stream;
    this.#tap = tap;
    this.#clock = clock;
  }

  attach(owner: StreamEvents): void {
    /** What its owner need not hear when it hears another answer. */
    const unlessInstead = (tell: () => void) => {
      if (this.#instead === undefined) tell();
    };
    this.#stream.attach({
      onHead: (head) => {
        this.#instead ??= head.status < 200 ? undefined : this.#tap.onHead(head);
        if (this.#instead === undefined) owner.onHead?.(head);
        else this.#instead.attach(owner);
      },
      onData: (chunk) => {
        if (this.#instead !== undefined) return this.#stream.consume(chunk.length);
        this.#tap.onData(chunk);
        owner.onData(chunk);
      },
      onEnd: (trailers) =>
        unlessInstead(() => {
          this.#tap.onEnd(trailers);
          owner.onEnd(trailers);
        }),
      onError: (error) =>
        unlessInstead(() => {
          this.#tap.onBreak();
          owner.onError(error);
        }),
      onDrain: () => owner.onDrain(),
      onClose: () => unlessInstead(() => owner.onClose()),
    });
  }

  write(chunk: Uint8Array): boolean {
    return this.#stream.write(chunk);
  }

  end(trailers?: RawHeaders): void {
    this.#stream.end(trailers);
  }

  consume(bytes: number): void {
    (this.#instead ?? this.#stream).consume(bytes);
  }

  reset(...why: Parameters<RequestStream['reset']>): void {
    this.#tap.onBreak();
    this.#instead?.reset(...why);
    this.#stream.reset(...why);
  }

  /** Of the process: the session may end before an answer out of memory is taken. */
  after(delayMs: number, run: () => void): () => void {
    return this.#clock.after(delayMs, run);
  }
}
