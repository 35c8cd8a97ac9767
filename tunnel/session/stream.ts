import { StreamError } from '../errors.ts';
import type { Budget } from '../flow/budget.ts';
import type { GrowthFacts } from '../flow/receive-window.ts';
import { ReceiveWindow } from '../flow/receive-window.ts';
import { ErrorCode, FrameType } from '../wire/codes.ts';
import { type EncodedFrame, encode } from '../wire/encode.ts';
import type { RawHeaders, ResponseHead } from '../wire/head.ts';
import { advance, type Half } from './half.ts';
import { Outbox } from './outbox.ts';

/** What the owner of a stream hears. Nothing is called after onClose. */
export interface StreamEvents {
  /** A response head; 1xx may come several times before the final one. Gateway only. */
  onHead?(head: ResponseHead): void;
  /** Body bytes, a view into the message. Credit goes back when the owner calls `stream.consume`. */
  onData(chunk: Uint8Array): void;
  /** The peer's half ended cleanly. */
  onEnd(trailers: RawHeaders): void;
  /** The stream was reset, refused, or its session lost. */
  onError(error: StreamError): void;
  /** `write` may be called again after it returned false. */
  onDrain(): void;
  /** Once, last: both halves are done, one way or the other. */
  onClose(): void;
}

/** What a stream needs from its session. */
export interface StreamPort {
  readonly budget: Budget;
  growthFacts(): GrowthFacts;
  wake(stream: Stream): void;
  credit(streamId: number, bytes: number): void;
  control(frame: EncodedFrame): void;
  /** Both halves are done: the session forgets this very object. */
  forget(stream: Stream): void;
}

const NO_TRAILERS: RawHeaders = [];

/**
 * One exchange inside a session: two halves, two windows.
 * Its reserve was taken from the budget by whoever made it.
 */
export class Stream {
  readonly id: number;
  readonly outbox: Outbox;
  readonly #port: StreamPort;
  readonly #window: ReceiveWindow;
  readonly #openedBy: 'local' | 'remote';
  #events: StreamEvents | undefined;
  #sending: Half = 'open';
  #receiving: Half = 'open';
  #isClosed = false;
  #isWriterWaiting = false;

  constructor(id: number, port: StreamPort, openedBy: 'local' | 'remote') {
    this.id = id;
    this.#port = port;
    this.outbox = new Outbox(id, () => this.#taken());
    this.#openedBy = openedBy;
    this.#window = new ReceiveWindow(port.budget, port.growthFacts().nowMs);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the peer can know this stream. One that it cannot know was certainly not executed. */
  get isKnownToPeer(): boolean {
    return this.#openedBy === 'remote' || this.outbox.isFirstTaken;
  }

  /** Bytes that arrived and were not consumed. */
  get bufferedBytes(): number {
    return this.#window.bufferedBytes;
  }

  /** Sets the owner. Called once, before any frame is received. */
  attach(events: StreamEvents): void {
    this.#events = events;
  }

  /** Queues the first frame of this stream or a head in its order. */
  sendFrame(frame: EncodedFrame): void {
    if (this.#sending !== 'open') return;
    this.outbox.pushFrame(frame);
    this.#port.wake(this);
  }

  /** Sends a response head (agent). */
  sendHead(head: ResponseHead): void {
    this.sendFrame(encode({ type: FrameType.Head, streamId: this.id, isEnd: false, head }));
  }

  /** Queues body bytes, which must not change afterwards. False: wait for onDrain before the next. */
  write(chunk: Uint8Array): boolean {
    if (this.#sending !== 'open') return true;
    this.outbox.pushData(chunk);
    this.#port.wake(this);
    this.#isWriterWaiting = this.outbox.isFull;
    return !this.#isWriterWaiting;
  }

  /** Ends our half after what was written. */
  end(trailers: RawHeaders = NO_TRAILERS): void {
    const next = advance(this.#sending, 'end');
    if (next === undefined || this.#sending !== 'open') return;
    if (trailers.length > 0) this.outbox.pushFrame(encode({ type: FrameType.Trailers, streamId: this.id, trailers }));
    else this.outbox.pushEnd();
    this.#port.wake(this);
    this.#sending = next;
    this.#closeIfDone();
  }

  /** Our half ended with a frame that says so itself (OPEN with END). */
  endSilently(): void {
    this.#sending = 'ended';
  }

  /** Gives credit back: the owner handed `bytes` on, and they are gone from here. */
  consume(bytes: number): void {
    if (this.#receiving === 'reset') return;
    const creditBytes = this.#window.consume(bytes, this.#port.growthFacts());
    if (creditBytes > 0 && this.#receiving === 'open') this.#port.credit(this.id, creditBytes);
    if (this.#isClosed && this.#window.bufferedBytes === 0) this.#window.release();
  }

  /** Abandons both halves and tells the peer why. */
  reset(code: ErrorCode, detail = ''): void {
    if (this.#isClosed) return;
    if (this.isKnownToPeer) {
      this.#port.control(encode({ type: FrameType.Reset, streamId: this.id, code, detail }));
    }
    this.#finish();
  }

  /** Says that this OPEN was certainly not executed (agent). */
  refuse(code: ErrorCode, detail: string): void {
    if (this.#isClosed) return;
    this.#port.control(encode({ type: FrameType.Refused, streamId: this.id, code, detail }));
    this.#finish();
  }

  /** Frames of the peer. Each returns false when the peer broke a rule of flow or state. */
  receiveData(data: Uint8Array, isEnd: boolean): boolean {
    if (advance(this.#receiving, 'data') === undefined || !this.#window.accept(data.length)) return false;
    if (data.length > 0) this.#events?.onData(data);
    if (isEnd) this.receiveEnd(NO_TRAILERS);
    return true;
  }

  receiveEnd(trailers: RawHeaders): boolean {
    if (this.#receiving === 'reset') return true;
    const next = advance(this.#receiving, 'end');
    if (next === undefined) return false;
    this.#receiving = next;
    this.#events?.onEnd(trailers);
    this.#closeIfDone();
    return true;
  }

  receiveHead(head: ResponseHead, isEnd: boolean): boolean {
    if (advance(this.#receiving, 'data') === undefined) return false;
    this.#events?.onHead?.(head);
    return isEnd ? this.receiveEnd(NO_TRAILERS) : true;
  }

  receiveCredit(bytes: number): boolean {
    if (!this.outbox.window.grant(bytes)) return false;
    this.#port.wake(this);
    return true;
  }

  /** The stream ended with an error that the peer sent or the session died of. */
  fail(error: StreamError): void {
    if (this.#isClosed) return;
    this.#sending = 'reset';
    this.#receiving = 'reset';
    this.#events?.onError(error);
    this.#finish();
  }

  /** The writer took a frame. What follows runs after its loop, not inside it. */
  #taken(): void {
    if (this.#isWriterWaiting && !this.outbox.isFull) {
      this.#isWriterWaiting = false;
      queueMicrotask(() => {
        if (!this.#isClosed) this.#events?.onDrain();
      });
    }
    if (this.#sending === 'ended' && this.outbox.isEmpty) queueMicrotask(() => this.#closeIfDone());
  }

  #closeIfDone(): void {
    if (this.#sending === 'ended' && this.#receiving === 'ended' && this.outbox.isEmpty) this.#close();
  }

  #finish(): void {
    this.#sending = 'reset';
    this.#receiving = 'reset';
    this.outbox.clear();
    this.#window.release();
    this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#port.forget(this);
    if (this.#window.bufferedBytes === 0) this.#window.release();
    this.#events?.onClose();
  }
}

/** An error for a stream that died with its session. */
export function sessionLost(stream: Stream, execution: 'not-executed' | 'unknown', reason: string): StreamError {
  return new StreamError({
    streamId: stream.id,
    code: ErrorCode.SessionLost,
    origin: 'remote',
    execution,
    detail: reason,
  });
}
