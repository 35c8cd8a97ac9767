import { ProtocolError, StreamError } from '../errors.ts';
import { ReceiveWindow } from '../flow/receive-window.ts';
import { ErrorCode, FrameType } from '../wire/codes.ts';
import { type EncodedFrame, encode, tryEncode } from '../wire/encode.ts';
import type { Frame } from '../wire/frame.ts';
import type { RawHeaders, ResponseHead } from '../wire/head.ts';
import { advance, type Half } from './half.ts';
import { Outbox } from './outbox.ts';
import type { StreamEvents, StreamPort } from './stream-port.ts';

export type { StreamEvents } from './stream-port.ts';

const NO_TRAILERS: RawHeaders = [];
const SWITCHING_PROTOCOLS = 101;
const FIRST_FINAL_STATUS = 200;

/**
 * One exchange inside a session: two halves, two windows.
 * Its reserve was taken from the budget by whoever made it.
 */
export class Stream {
  readonly id: number;
  readonly outbox: Outbox;
  readonly #port: StreamPort<Stream>;
  readonly #window: ReceiveWindow;
  readonly #openedBy: 'local' | 'remote';
  #events: StreamEvents | undefined;
  #sending: Half = 'open';
  #receiving: Half = 'open';
  #hasAnswer = false;
  /** Whether DATA may come: after the final head; requests had theirs with OPEN. */
  #isHeadDone: boolean;
  #mayUpgrade = false;
  #isClosed = false;
  #isWriterWaiting = false;

  constructor(id: number, port: StreamPort<Stream>, openedBy: 'local' | 'remote') {
    this.id = id;
    this.#port = port;
    const highWaterBytes = () => port.budget.sendBytesPerStream;
    this.outbox = new Outbox(id, highWaterBytes, () => this.#taken());
    this.#openedBy = openedBy;
    this.#isHeadDone = openedBy === 'remote';
    this.#window = new ReceiveWindow(port.budget, port.growthFacts().nowMs);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the peer can know this stream. One that it cannot know was certainly not executed. */
  get isKnownToPeer(): boolean {
    return this.#openedBy === 'remote' || this.outbox.isFirstTaken;
  }

  /** Whether any head came, 1xx too: then the peer did see this request. */
  get hasAnswer(): boolean {
    return this.#hasAnswer;
  }

  /** Bytes that arrived and were not consumed. */
  get bufferedBytes(): number {
    return this.#window.bufferedBytes;
  }

  /** Bytes that the peer can make us hold for this stream, as its window is now. */
  get windowBytes(): number {
    return this.#window.sizeBytes;
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

  /** Sends a response head (agent). One that cannot be sent fails this stream: an upstream's answer is not our bug. */
  sendHead(head: ResponseHead): void {
    if (this.#sending !== 'open') return;
    const frame = this.#encodeOrFail({ type: FrameType.Head, streamId: this.id, isEnd: false, head });
    if (frame !== undefined) this.sendFrame(frame);
  }

  /** Queues body bytes, which must not change afterwards. False: wait for onDrain before the next. */
  write(chunk: Uint8Array): boolean {
    if (this.#sending !== 'open') return true;
    this.outbox.pushData(chunk);
    this.#port.wake(this);
    this.#isWriterWaiting = this.outbox.isFull;
    return !this.#isWriterWaiting;
  }

  /** Ends our half after what was written. Trailers that cannot be sent fail this stream. */
  end(trailers: RawHeaders = NO_TRAILERS): void {
    const next = advance(this.#sending, 'end');
    if (next === undefined) return;
    if (trailers.length > 0) {
      const frame = this.#encodeOrFail({ type: FrameType.Trailers, streamId: this.id, trailers });
      if (frame === undefined) return;
      this.outbox.pushFrame(frame);
    } else this.outbox.pushEnd();
    this.#port.wake(this);
    this.#sending = next;
    this.#closeIfDone();
  }

  /** OPEN asked for an upgrade: a 101 is the final head, raw bytes follow. */
  expectUpgrade(): void {
    this.#mayUpgrade = true;
  }

  /** Our half ended with a frame that says so itself (OPEN with END). */
  endSilently(): void {
    this.#sending = 'ended';
  }

  /** Runs once after `delayMs` unless cancelled by what it returns, or the session ended. */
  after(delayMs: number, run: () => void): () => void {
    return this.#port.after(delayMs, run);
  }

  /** Gives credit back: the owner handed `bytes` on, and they are gone from here. */
  consume(bytes: number): void {
    if (this.#receiving === 'reset') return;
    const facts = this.#port.growthFacts();
    const isOpen = this.#receiving === 'open';
    // After the end nothing comes any more: a window that grew then would only take from the others.
    const creditBytes = this.#window.consume(bytes, isOpen ? facts : { ...facts, maxBytes: 0 });
    if (creditBytes > 0 && isOpen) this.#port.credit(this.id, creditBytes);
    if (this.#isClosed && this.#window.bufferedBytes === 0) this.#window.release();
  }

  /** Abandons both halves and tells the peer why. After onClose: drops what was not consumed. */
  reset(code: ErrorCode, detail = ''): void {
    if (this.#isClosed) return this.#abandon();
    // From inside onError: the peer knows, and #finish follows.
    if (this.#receiving === 'reset') return;
    if (this.isKnownToPeer) {
      this.#port.control(encode({ type: FrameType.Reset, streamId: this.id, code, detail }));
    }
    this.#finish();
  }

  /** Says that this OPEN was certainly not executed (agent). */
  refuse(code: ErrorCode, detail: string): void {
    if (this.#isClosed || this.#receiving === 'reset') return;
    this.#port.control(encode({ type: FrameType.Refused, streamId: this.id, code, detail }));
    this.#finish();
  }

  /**
   * @throws ProtocolError like all that receive: the peer broke a rule of state or credit.
   * A body, end or head out of HTTP's order fails only this stream: so does a malformed message in HTTP/2 (RFC 9113 §8.1.1).
   */
  receiveData(data: Uint8Array, isEnd: boolean): void {
    if (advance(this.#receiving, 'data') === undefined) throw new ProtocolError('DATA after the end');
    if (!this.#window.accept(data.length)) {
      throw new ProtocolError(`DATA of ${data.length} bytes beyond the credit`, ErrorCode.FlowControl);
    }
    if (!this.#isHeadDone) return this.#failBoth('a body before the final head');
    if (data.length > 0) this.#events?.onData(data);
    if (isEnd) this.receiveEnd(NO_TRAILERS);
  }

  receiveEnd(trailers: RawHeaders): void {
    // The owner reset the stream while it heard what came in the same frame.
    if (this.#receiving === 'reset') return;
    const next = advance(this.#receiving, 'end');
    if (next === undefined) throw new ProtocolError('an end after the end');
    if (!this.#isHeadDone) return this.#failBoth('an end before the final head');
    this.#receiving = next;
    this.#events?.onEnd(trailers);
    this.#closeIfDone();
  }

  receiveHead(head: ResponseHead, isEnd: boolean): void {
    if (advance(this.#receiving, 'data') === undefined) throw new ProtocolError('HEAD after the end');
    this.#hasAnswer = true;
    if (this.#isHeadDone) return this.#failBoth('a head after the final head');
    this.#isHeadDone = head.status >= FIRST_FINAL_STATUS || (this.#mayUpgrade && head.status === SWITCHING_PROTOCOLS);
    this.#events?.onHead?.(head);
    if (isEnd) this.receiveEnd(NO_TRAILERS);
  }

  receiveCredit(bytes: number): void {
    if (!this.#port.credited(this, bytes)) throw new ProtocolError('credit beyond 2^31-1', ErrorCode.FlowControl);
  }

  /** The stream ended with an error that the peer sent or the session died of. */
  fail(error: StreamError): void {
    if (this.#isClosed) return;
    this.#sending = 'reset';
    this.#receiving = 'reset';
    this.#events?.onError(error);
    this.#finish();
  }

  /** The frame; undefined when the wire cannot carry it: then the stream has failed. */
  #encodeOrFail(frame: Frame): EncodedFrame | undefined {
    const encoded = tryEncode(frame);
    if (!(encoded instanceof RangeError)) return encoded;
    this.#failBoth(encoded.message, this.#openedBy === 'remote' ? ErrorCode.UpstreamProtocol : ErrorCode.Cancel);
    return undefined;
  }

  /** Ends the stream at both ends over what an upstream or a client sent through it. */
  #failBoth(detail: string, code: ErrorCode = ErrorCode.UpstreamProtocol): void {
    const execution = this.isKnownToPeer ? 'unknown' : 'not-executed';
    if (this.isKnownToPeer) this.#port.control(encode({ type: FrameType.Reset, streamId: this.id, code, detail }));
    this.fail(new StreamError({ streamId: this.id, code, origin: 'local', execution, detail }));
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
    this.outbox.clear();
    this.#abandon();
    this.#close();
  }

  /** Nobody will consume what is left. */
  #abandon(): void {
    this.#receiving = 'reset';
    this.#window.release();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#port.forget(this);
    if (this.#window.bufferedBytes === 0) this.#window.release();
    this.#events?.onClose();
  }
}
