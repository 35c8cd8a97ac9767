import { ByteWriter } from './bytes.ts';
import { Flag, FrameType } from './codes.ts';
import { encodeDocument } from './documents.ts';
import type { Frame } from './frame.ts';
import { encodeRequestHead, encodeResponseHead, encodeTrailers } from './head.ts';
import { FRAME_HEADER_BYTES, MAX_CONTROL_BYTES, MAX_DATA_BYTES, MAX_HEAD_BYTES, MAX_WINDOW_BYTES } from './limits.ts';

/**
 * A frame ready for the wire: its header fields and its payload, not yet joined.
 *
 *   0                 3        4        5                 9                n
 *   +-----------------+--------+--------+-----------------+----------------+
 *   | payload length  | type   | flags  | stream id       | payload        |
 *   | u24, big-endian | u8     | u8     | u32, big-endian | by type        |
 *   +-----------------+--------+--------+-----------------+----------------+
 */
export interface EncodedFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
}

/** Longest text in RESET and REFUSED, in bytes. */
const MAX_DETAIL_BYTES = 1024;

const EMPTY = new Uint8Array(0);

/**
 * Never builds what a peer would refuse: a session must not die of one strange response head.
 * @throws RangeError when the payload is longer than its type allows or holds what the wire cannot carry:
 * the caller must split or refuse first.
 */
export function encode(frame: Frame): EncodedFrame {
  const encoded = encodeByType(frame);
  const limit = maxPayloadBytes(encoded.type);
  if (encoded.payload.length > limit) {
    throw new RangeError(`frame type ${encoded.type}: payload of ${encoded.payload.length} bytes, allowed ${limit}`);
  }
  return encoded;
}

/** For a frame whose content others chose, such as an upstream's head: that it cannot be sent is a value, not our bug. */
export function tryEncode(frame: Frame): EncodedFrame | RangeError {
  try {
    return encode(frame);
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
}

/** On the wire, header included. */
export function encodedBytes(frame: EncodedFrame): number {
  return FRAME_HEADER_BYTES + frame.payload.length;
}

/** Longest payload of a type, in bytes. */
export function maxPayloadBytes(type: number): number {
  if (type === FrameType.Data) return MAX_DATA_BYTES;
  const isHead = type === FrameType.Open || type === FrameType.Head || type === FrameType.Trailers;
  return isHead ? MAX_HEAD_BYTES : MAX_CONTROL_BYTES;
}

/** Joins frames into one WebSocket message, in memory that `allocate` provides. The only copy of a body byte on its way out. */
export function packMessage(
  frames: readonly EncodedFrame[],
  allocate: (bytes: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  let total = 0;
  for (const frame of frames) total += encodedBytes(frame);
  const message = allocate(total);
  let at = 0;
  for (const { type, flags, streamId, payload } of frames) {
    message.writeUIntBE(payload.length, at, 3);
    message.writeUInt8(type, at + 3);
    message.writeUInt8(flags, at + 4);
    message.writeUInt32BE(streamId, at + 5);
    message.set(payload, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + payload.length;
  }
  return message;
}

function encodeByType(frame: Frame): EncodedFrame {
  switch (frame.type) {
    case FrameType.Data:
      return of(frame.type, frame.isEnd ? Flag.End : 0, frame.streamId, frame.data);
    case FrameType.Trailers:
      return of(frame.type, 0, frame.streamId, encodeTrailers(frame.trailers));
    case FrameType.Open:
      return of(frame.type, openFlags(frame), frame.streamId, encodeRequestHead(frame.head));
    case FrameType.Head:
      return of(frame.type, headFlags(frame), frame.streamId, encodeResponseHead(frame.head));
    case FrameType.Reset:
    case FrameType.Refused:
      return of(frame.type, 0, frame.streamId, encodeReason(frame.code, frame.detail));
    case FrameType.Window:
      return of(frame.type, 0, frame.streamId, encodeCredit(frame.creditBytes));
    case FrameType.Slots:
      return of(frame.type, 0, 0, new ByteWriter(8).u32(frame.slots.ordinary).u32(frame.slots.longRunning).bytes());
    case FrameType.Ping:
    case FrameType.Pong:
      return of(frame.type, 0, 0, new ByteWriter(4).u32(frame.token).bytes());
    case FrameType.Hello:
    case FrameType.Welcome:
    case FrameType.Health:
    case FrameType.Config:
    case FrameType.Goaway:
      return of(frame.type, 0, 0, encodeDocument(frame.document));
    default: {
      const unreachable: never = frame;
      return unreachable;
    }
  }
}

function of(type: number, flags: number, streamId: number, payload: Uint8Array = EMPTY): EncodedFrame {
  return { type, flags, streamId, payload };
}

function openFlags({ isEnd, head }: Extract<Frame, { type: typeof FrameType.Open }>): number {
  return (isEnd ? Flag.End : 0) | (head.isLongRunning ? Flag.LongRunning : 0) | (head.isUpgrade ? Flag.Upgrade : 0);
}

function headFlags({ isEnd, head }: Extract<Frame, { type: typeof FrameType.Head }>): number {
  return (isEnd ? Flag.End : 0) | (head.isDeflated ? Flag.Deflated : 0);
}

function encodeCredit(creditBytes: number): Uint8Array {
  if (creditBytes < 1 || creditBytes > MAX_WINDOW_BYTES) throw new RangeError(`credit of ${creditBytes} bytes`);
  return new ByteWriter(4).u32(creditBytes).bytes();
}

/** code u32, then UTF-8 to the end, cut at a character. */
function encodeReason(code: number, detail: string): Uint8Array {
  const reason = Buffer.allocUnsafe(4 + MAX_DETAIL_BYTES);
  reason.writeUInt32BE(code, 0);
  const { written } = new TextEncoder().encodeInto(detail, reason.subarray(4));
  return reason.subarray(0, 4 + written);
}
