import { StreamError } from '../errors.ts';
import type { Budget } from '../flow/budget.ts';
import type { Timer } from '../flow/timer.ts';
import { ErrorCode } from '../wire/codes.ts';
import type { RawHeaders, ResponseHead } from '../wire/head.ts';
import { Inflater } from './inflater.ts';
import type { Stream, StreamEvents } from './stream.ts';

const FIRST_FINAL_STATUS = 200;

/** What the owner of a request needs of its stream. */
export type RequestStream = Pick<Stream, 'attach' | 'write' | 'end' | 'consume' | 'reset' | 'after'>;

export interface InflatingOptions {
  readonly budget: Budget;
  readonly clock: Timer;
  /** timeouts.backpressure: how long an owner may take nothing of an answer that its peer thinks delivered. */
  readonly stallMs: number;
}

/**
 * A stream whose answer may come deflated, for an owner that need not know: what it hears and gives back is inflated.
 * A deflated answer that cannot be inflated, or for which there is no memory, is an error of the stream.
 *
 *   HEAD with DEFLATED ── DATA: inflated as the owner takes it ── END ── stream closed ── the rest inflated: onEnd, onClose
 */
export class InflatedStream implements RequestStream {
  readonly #stream: Stream;
  readonly #options: InflatingOptions;
  #owner: StreamEvents | undefined;
  /** Of a deflated answer. */
  #inflater: Inflater | undefined;
  #trailers: RawHeaders = [];
  #isStreamClosed = false;
  #isOwnerDone = false;
  #cancelWatch: () => void = () => {};

  constructor(stream: Stream, options: InflatingOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  attach(owner: StreamEvents): void {
    this.#owner = owner;
    this.#stream.attach({
      onHead: (head) => this.#head(head),
      onData: (chunk) => (this.#inflater === undefined ? owner.onData(chunk) : this.#inflater.push(chunk)),
      onEnd: (trailers) => this.#end(trailers),
      onError: (error) => this.#failed(error),
      onDrain: () => owner.onDrain(),
      onClose: () => this.#closed(),
    });
  }

  write(chunk: Uint8Array): boolean {
    return this.#stream.write(chunk);
  }

  end(trailers?: RawHeaders): void {
    this.#stream.end(trailers);
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#stream.after(delayMs, run);
  }

  /** `bytes` as they were handed to the owner. */
  consume(bytes: number): void {
    if (this.#inflater === undefined) this.#stream.consume(bytes);
    else this.#inflater.taken(bytes);
  }

  reset(code: ErrorCode, detail?: string): void {
    this.#inflater?.close();
    this.#stream.reset(code, detail);
    if (this.#isStreamClosed) this.#ownerDone();
  }

  #head(head: ResponseHead): void {
    const { status, headers, isDeflated = false } = head;
    if (!isDeflated) return this.#owner?.onHead?.(head);
    if (status < FIRST_FINAL_STATUS) return this.#fail(ErrorCode.UpstreamProtocol, `status ${status} with DEFLATED`);
    this.#inflater = Inflater.open(this.#options.budget, {
      onData: (chunk) => this.#owner?.onData(chunk),
      onSettled: (wireBytes) => this.#stream.consume(wireBytes),
      onEnd: () => this.#inflated(),
      onError: (detail) => this.#fail(ErrorCode.UpstreamProtocol, `the deflated body is broken: ${detail}`),
    });
    if (this.#inflater === undefined) return this.#fail(ErrorCode.Overload, 'no memory is left to inflate the answer');
    this.#owner?.onHead?.({ status, headers });
  }

  #end(trailers: RawHeaders): void {
    if (this.#inflater === undefined) return this.#owner?.onEnd(trailers);
    this.#trailers = trailers;
    this.#inflater.end();
  }

  /** The owner has all of the body. */
  #inflated(): void {
    this.#owner?.onEnd(this.#trailers);
    if (this.#isStreamClosed) this.#ownerDone();
  }

  /** A stream whose frames have all come is closed, while what they hold is still being inflated: its owner hears the end first. */
  #closed(): void {
    this.#isStreamClosed = true;
    if (this.#inflater?.isRunning === true) this.#watch(this.#inflater);
    else this.#ownerDone();
  }

  /** The peer, who would notice that nobody reads, has said all it had to. */
  #watch(inflater: Inflater): void {
    const { clock, stallMs } = this.#options;
    const { takenBytes } = inflater;
    this.#cancelWatch = clock.after(stallMs, () => {
      if (inflater.takenBytes > takenBytes) this.#watch(inflater);
      else this.#fail(ErrorCode.Backpressure, 'nobody read the answer');
    });
  }

  #failed(error: StreamError): void {
    this.#inflater?.close();
    this.#owner?.onError(error);
  }

  /** Ends the stream at both ends; the owner hears why, as if the peer had said so. */
  #fail(code: ErrorCode, detail: string): void {
    const { id } = this.#stream;
    this.#failed(new StreamError({ streamId: id, code, origin: 'local', execution: 'unknown', detail }));
    this.reset(code, detail);
  }

  #ownerDone(): void {
    if (this.#isOwnerDone) return;
    this.#isOwnerDone = true;
    this.#cancelWatch();
    this.#owner?.onClose();
  }
}
