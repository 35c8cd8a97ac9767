import { LanePlace, type Sender } from '../flow/lanes.ts';
import { SendWindow } from '../flow/send-window.ts';
import { Flag, FrameType } from '../wire/codes.ts';
import type { EncodedFrame } from '../wire/encode.ts';

const EMPTY = new Uint8Array(0);

/** What one stream has to send, in order. Body bytes wait here for credit and for their turn. */
export class Outbox implements Sender {
  readonly place = new LanePlace();
  readonly window = new SendWindow();
  /** Kept by the writer: when the peer last gave credit. */
  creditedMs: number | undefined;
  /** Kept by the writer: since when bytes lack credit; undefined: they do not, or since the last frame was taken. */
  starvedSinceMs: number | undefined;
  readonly #streamId: number;
  /** Heads and trailers are frames; body chunks are bytes, cut into DATA when taken. */
  readonly #queue: (EncodedFrame | Uint8Array)[] = [];
  #queuedBytes = 0;
  #isEndQueued = false;
  #isFirstTaken = false;
  #isStarvedAtEnd = false;
  #isLeftOver = false;
  readonly #highWaterBytes: () => number;
  readonly #onTaken: () => void;

  /** A source is asked to pause at `highWaterBytes`, as they are now; `onTaken` is called after each frame that the writer took. */
  constructor(streamId: number, highWaterBytes: () => number, onTaken: () => void) {
    this.#streamId = streamId;
    this.#highWaterBytes = highWaterBytes;
    this.#onTaken = onTaken;
  }

  /** Whether the first frame of this stream was handed to the writer. */
  get isFirstTaken(): boolean {
    return this.#isFirstTaken;
  }

  /** Body bytes not yet taken. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Nothing is left to take, not even the end. */
  get isEmpty(): boolean {
    return this.#queue.length === 0 && !this.#isEndQueued;
  }

  get isFull(): boolean {
    return this.#queuedBytes >= this.#highWaterBytes();
  }

  /** Whether body bytes wait for nothing but credit; if the stream was reset: whether they did then. */
  get isStarved(): boolean {
    return this.#isStarvedAtEnd || (this.#queue[0] instanceof Uint8Array && this.window.availableBytes === 0);
  }

  /** Whether the bytes in front were there already when the last frame was taken. */
  get isLeftOver(): boolean {
    return this.#isLeftOver;
  }

  get isReady(): boolean {
    const first = this.#queue[0];
    if (first === undefined) return this.#isEndQueued;
    return !(first instanceof Uint8Array) || this.window.availableBytes > 0;
  }

  pushFrame(frame: EncodedFrame): void {
    this.#queue.push(frame);
  }

  pushData(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
  }

  /** After what is queued, the half ends with a DATA frame that says so. */
  pushEnd(): void {
    this.#isEndQueued = true;
  }

  /** Drops everything; the stream was reset. */
  clear(): void {
    this.#isStarvedAtEnd = this.isStarved;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#isEndQueued = false;
  }

  take(maxDataBytes: number): EncodedFrame {
    this.#isFirstTaken = true;
    const frame = this.#next(maxDataBytes);
    this.#isLeftOver = this.#queue[0] instanceof Uint8Array;
    this.#onTaken();
    return frame;
  }

  #next(maxDataBytes: number): EncodedFrame {
    const first = this.#queue[0];
    if (first === undefined) return this.#data(EMPTY);
    if (!(first instanceof Uint8Array)) {
      this.#queue.shift();
      return first;
    }
    const bytes = Math.min(first.length, maxDataBytes, this.window.availableBytes);
    this.window.take(bytes);
    this.#queuedBytes -= bytes;
    if (bytes === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(bytes);
    return this.#data(bytes === first.length ? first : first.subarray(0, bytes));
  }

  #data(payload: Uint8Array): EncodedFrame {
    const isEnd = this.#isEndQueued && this.#queue.length === 0;
    if (isEnd) this.#isEndQueued = false;
    return { type: FrameType.Data, flags: isEnd ? Flag.End : 0, streamId: this.#streamId, payload };
  }
}
