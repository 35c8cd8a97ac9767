import { StreamError } from '../../../tunnel/errors.ts';
import type { Timer } from '../../../tunnel/flow/timer.ts';
import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { StreamEvents } from '../../../tunnel/session/stream.ts';
import type { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { INITIAL_WINDOW_BYTES } from '../../../tunnel/wire/limits.ts';
import type { ServedStream } from '../../../upstream/exchange-options.ts';

/** It has no number: it is part of no session. */
const NO_STREAM_ID = 0;

/**
 * A request's stream whose other end is in this process too: what one end says the other hears in the same call. Each way
 * holds one window, and the chunk that its source had in hand.
 */
export class JoinedStream implements RequestStream {
  /** The other end. */
  readonly served: ServedStream;
  readonly #clock: Timer;
  readonly #request = new Way();
  readonly #answer = new Way();
  /** Who asked. */
  #owner: StreamEvents | undefined;
  #server: StreamEvents | undefined;
  #isClosed = false;

  constructor(clock: Timer) {
    this.#clock = clock;
    this.served = this.#servedEnd();
  }

  attach(owner: StreamEvents): void {
    this.#owner = owner;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isClosed || this.#request.isEnded) return true;
    this.#request.hold(chunk.length);
    this.#server?.onData(chunk);
    return this.#request.mayGoOn;
  }

  end(trailers: RawHeaders = []): void {
    if (this.#isClosed || this.#request.isEnded) return;
    this.#request.isEnded = true;
    this.#server?.onEnd(trailers);
    this.#closeIfDone();
  }

  consume(bytes: number): void {
    if (this.#answer.settle(bytes) && !this.#isClosed) this.#server?.onDrain();
  }

  reset(code: ErrorCode, detail = ''): void {
    this.#fail(this.#server, new StreamError({ ...PEER, code, execution: 'unknown', detail }));
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#clock.after(delayMs, run);
  }

  #servedEnd(): ServedStream {
    const isClosed = () => this.#isClosed;
    const answer = this.#answer;
    return {
      get isClosed() {
        return isClosed();
      },
      outbox: {
        get queuedBytes() {
          return answer.heldBytes;
        },
        get isEmpty() {
          return answer.heldBytes === 0;
        },
      },
      attach: (server) => {
        this.#server = server;
      },
      after: (delayMs, run) => this.#clock.after(delayMs, run),
      consume: (bytes) => {
        if (this.#request.settle(bytes) && !this.#isClosed) this.#owner?.onDrain();
      },
      sendHead: (head) => {
        if (!this.#isClosed && !answer.isEnded) this.#owner?.onHead?.(head);
      },
      write: (chunk) => {
        if (this.#isClosed || answer.isEnded) return true;
        answer.hold(chunk.length);
        this.#owner?.onData(chunk);
        return answer.mayGoOn;
      },
      end: (trailers = []) => {
        if (this.#isClosed || answer.isEnded) return;
        answer.isEnded = true;
        this.#owner?.onEnd(trailers);
        this.#closeIfDone();
      },
      refuse: (code, detail) =>
        this.#fail(this.#owner, new StreamError({ ...PEER, code, execution: 'not-executed', detail })),
      reset: (code, detail = '') =>
        this.#fail(this.#owner, new StreamError({ ...PEER, code, execution: 'unknown', detail })),
    };
  }

  #closeIfDone(): void {
    if (this.#request.isEnded && this.#answer.isEnded) this.#close();
  }

  /** `peer` hears why; whoever ended it knows. */
  #fail(peer: StreamEvents | undefined, error: StreamError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    peer?.onError(error);
    this.#tellClosed();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tellClosed();
  }

  #tellClosed(): void {
    this.#owner?.onClose();
    this.#server?.onClose();
  }
}

const PEER = { streamId: NO_STREAM_ID, origin: 'remote' } as const;

/** One direction: what was handed over and not taken yet. */
class Way {
  heldBytes = 0;
  isEnded = false;
  #isBlocked = false;

  /** False: its source waits until `settle` says so. */
  get mayGoOn(): boolean {
    return !this.#isBlocked;
  }

  hold(bytes: number): void {
    this.heldBytes += bytes;
    this.#isBlocked = this.heldBytes >= INITIAL_WINDOW_BYTES;
  }

  /** True: its source may go on, and had been told to wait. */
  settle(bytes: number): boolean {
    this.heldBytes -= bytes;
    if (!this.#isBlocked || this.heldBytes >= INITIAL_WINDOW_BYTES) return false;
    this.#isBlocked = false;
    return true;
  }
}
