import { type Execution, ProtocolError, StreamError } from '../errors.ts';
import { ErrorCode, FrameType } from '../wire/codes.ts';
import type { Frame } from '../wire/frame.ts';
import type { Stream } from './stream.ts';

type StreamFrame = Extract<
  Frame,
  {
    type:
      | typeof FrameType.Data
      | typeof FrameType.Trailers
      | typeof FrameType.Window
      | typeof FrameType.Reset
      | typeof FrameType.Refused
      | typeof FrameType.Head;
  }
>;

/** The streams of one session, by id. Ids strictly increase and are never reused. */
export class Streams {
  readonly #byId = new Map<number, Stream>();
  #lastId = 0;
  #lastHeardId = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** Highest id opened or seen. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Highest id that a frame of the peer was about. Ids are seen in order: it knows this stream and all before. */
  get lastHeardId(): number {
    return this.#lastHeardId;
  }

  get bytes(): { queuedBytes: number; bufferedBytes: number } {
    let queuedBytes = 0;
    let bufferedBytes = 0;
    for (const stream of this.#byId.values()) {
      queuedBytes += stream.outbox.queuedBytes;
      bufferedBytes += stream.bufferedBytes;
    }
    return { queuedBytes, bufferedBytes };
  }

  /** Its id was seen just before. */
  add(stream: Stream): void {
    this.#byId.set(stream.id, stream);
  }

  /** Notes an id, whether a stream comes of it or a refusal. @throws ProtocolError when it does not increase. */
  see(id: number): void {
    if (id <= this.#lastId) throw new ProtocolError(`stream ${id} opened after ${this.#lastId}`);
    this.#lastId = id;
  }

  /** By identity: a late close of an old stream never removes another one. */
  remove(stream: Stream): void {
    if (this.#byId.get(stream.id) === stream) this.#byId.delete(stream.id);
  }

  /**
   * Hands a frame to its stream. Frames of streams that are gone are dropped: they were under way when we reset.
   * @throws ProtocolError for a stream that never was, and for rules of state and credit.
   */
  receive(frame: StreamFrame): void {
    if (frame.streamId > this.#lastId) throw new ProtocolError(`frame for stream ${frame.streamId}, never opened`);
    this.#lastHeardId = Math.max(this.#lastHeardId, frame.streamId);
    const stream = this.#byId.get(frame.streamId);
    if (stream === undefined) return;
    switch (frame.type) {
      case FrameType.Data:
        return stream.receiveData(frame.data, frame.isEnd);
      case FrameType.Window:
        return stream.receiveCredit(frame.creditBytes);
      case FrameType.Trailers:
        return stream.receiveEnd(frame.trailers);
      case FrameType.Head:
        return stream.receiveHead(frame.head, frame.isEnd);
      case FrameType.Reset:
        return stream.fail(peerError(frame, 'unknown'));
      case FrameType.Refused:
        if (stream.hasAnswer) throw new ProtocolError('REFUSED after a HEAD');
        return stream.fail(peerError(frame, 'not-executed'));
    }
  }

  /** Streams beyond the peer's last seen one were certainly not executed; an answer proves the contrary. */
  failBeyond(lastStreamId: number, reason: string): void {
    for (const stream of [...this.#byId.values()]) {
      if (stream.id <= lastStreamId) continue;
      stream.fail(sessionLost(stream, stream.hasAnswer ? 'unknown' : 'not-executed', reason));
    }
  }

  /** The session is gone. Only what never left us is known not to be executed. */
  failAll(reason: string): void {
    for (const stream of [...this.#byId.values()]) {
      stream.fail(sessionLost(stream, stream.isKnownToPeer ? 'unknown' : 'not-executed', reason));
    }
  }
}

function peerError(frame: { streamId: number; code: number; detail: string }, execution: Execution) {
  const { streamId, code, detail } = frame;
  return new StreamError({ streamId, code, origin: 'remote', execution, detail });
}

/** An error for a stream that died with its session. */
function sessionLost(stream: Stream, execution: Execution, reason: string): StreamError {
  return new StreamError({
    streamId: stream.id,
    code: ErrorCode.SessionLost,
    origin: 'remote',
    execution,
    detail: reason,
  });
}
