import { ProtocolError } from '../errors.ts';
import { ByteReader } from './bytes.ts';
import { ErrorCode, Flag, FrameType, IGNORABLE_TYPE_BIT } from './codes.ts';
import { decodeDocument } from './documents.ts';
import { maxPayloadBytes } from './encode.ts';
import type { Frame } from './frame.ts';
import { decodeRequestHead, decodeResponseHead, decodeTrailers } from './head.ts';
import { FRAME_HEADER_BYTES, MAX_STREAM_ID, MAX_WINDOW_BYTES } from './limits.ts';

type DataFrame = Extract<Frame, { type: typeof FrameType.Data }>;

/** Flags each type may carry. */
const ALLOWED_FLAGS: Readonly<Record<number, number>> = {
  [FrameType.Data]: Flag.End,
  [FrameType.Open]: Flag.End | Flag.LongRunning | Flag.Upgrade,
  [FrameType.Head]: Flag.End | Flag.Deflated,
};

/** Types that speak of the session: stream id 0. All others name a stream. */
const SESSION_TYPES: ReadonlySet<number> = new Set([
  FrameType.Slots,
  FrameType.Ping,
  FrameType.Pong,
  FrameType.Hello,
  FrameType.Welcome,
  FrameType.Health,
  FrameType.Config,
  FrameType.Goaway,
]);

/**
 * DATA that is a smaller part of the memory it came in is copied: who keeps a view keeps all of that memory, which is what was read
 * from the socket at once, other messages included. Not when a copy would come from a pool as large (Buffer.poolSize). A full message
 * of four turns of 16 KiB, with its headers, is still viewed.
 */
const LEAST_VIEW_SHARE = 1 / 5;
const POOL_BYTES = 8 * 1024;

/**
 * Hands every frame of one WebSocket message to `receive`, in order. DATA is a view into the message, unless the memory
 * behind the message is more than five times as long. Frames of types that may be skipped are only told to `skip`.
 * @throws ProtocolError when a frame breaks a rule; frames before it were delivered.
 */
export function decodeMessage(message: Uint8Array, receive: (frame: Frame) => void, skip: () => void = () => {}): void {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < FRAME_HEADER_BYTES) {
      throw new ProtocolError(`message ends in a frame header: ${bytes.length - at} of ${FRAME_HEADER_BYTES} bytes`);
    }
    const length = bytes.readUIntBE(at, 3);
    const type = bytes.readUInt8(at + 3);
    const flags = bytes.readUInt8(at + 4);
    const streamId = bytes.readUInt32BE(at + 5);
    at += FRAME_HEADER_BYTES;
    if (length > bytes.length - at) {
      throw new ProtocolError(`message ends in a payload: ${bytes.length - at} of ${length} bytes`);
    }
    const frame = decodeFrame(type, flags, streamId, bytes.subarray(at, at + length));
    at += length;
    if (frame === undefined) skip();
    else receive(frame.type === FrameType.Data ? unpinned(frame) : frame);
  }
}

/** The frame; undefined for a type of a newer peer that may be skipped. */
function decodeFrame(type: number, flags: number, streamId: number, payload: Uint8Array): Frame | undefined {
  if (type > FrameType.Goaway) {
    if ((type & IGNORABLE_TYPE_BIT) !== 0) return undefined;
    throw new ProtocolError(`unknown frame type ${type}`);
  }
  const limit = maxPayloadBytes(type);
  if (payload.length > limit) {
    throw new ProtocolError(`frame type ${type}: ${payload.length} bytes, allowed ${limit}`, ErrorCode.FrameSize);
  }
  if ((flags & ~(ALLOWED_FLAGS[type] ?? 0)) !== 0) throw new ProtocolError(`frame type ${type} with flags ${flags}`);
  if (SESSION_TYPES.has(type)) {
    if (streamId !== 0) throw new ProtocolError(`frame type ${type} names stream ${streamId}, allowed 0`);
    return decodeSessionFrame(type, payload);
  }
  if (streamId === 0 || streamId > MAX_STREAM_ID) {
    throw new ProtocolError(`frame type ${type} names stream ${streamId}, allowed 1 to ${MAX_STREAM_ID}`);
  }
  return decodeStreamFrame(type, flags, streamId, payload);
}

function unpinned(frame: DataFrame): DataFrame {
  const heldBytes = frame.data.buffer.byteLength;
  if (heldBytes <= POOL_BYTES || frame.data.length >= heldBytes * LEAST_VIEW_SHARE) return frame;
  return { ...frame, data: Buffer.from(frame.data) };
}

function decodeStreamFrame(type: number, flags: number, streamId: number, payload: Uint8Array): Frame {
  const isEnd = (flags & Flag.End) !== 0;
  switch (type) {
    case FrameType.Data:
      return { type, streamId, isEnd, data: payload };
    case FrameType.Trailers:
      return { type, streamId, trailers: decodeTrailers(payload) };
    case FrameType.Open:
      return { type, streamId, isEnd, head: decodeRequestHead(payload, flags) };
    case FrameType.Head:
      return { type, streamId, isEnd, head: decodeResponseHead(payload, flags) };
    case FrameType.Window:
      return { type, streamId, creditBytes: decodeCredit(payload) };
    case FrameType.Reset:
    case FrameType.Refused: {
      const reader = new ByteReader(payload);
      const code = reader.u32();
      return { type, streamId, code, detail: reader.utf8(reader.remaining) };
    }
    default:
      throw new ProtocolError(`unknown frame type ${type}`);
  }
}

function decodeSessionFrame(type: number, payload: Uint8Array): Frame {
  switch (type) {
    case FrameType.Slots: {
      const reader = new ByteReader(payload);
      const slots = { ordinary: reader.u32(), longRunning: reader.u32() };
      reader.end();
      return { type, slots };
    }
    case FrameType.Ping:
    case FrameType.Pong: {
      const reader = new ByteReader(payload);
      const token = reader.u32();
      reader.end();
      return { type, token };
    }
    case FrameType.Hello:
    case FrameType.Welcome:
    case FrameType.Health:
    case FrameType.Config:
    case FrameType.Goaway:
      return { type, document: decodeDocument(payload) };
    default:
      throw new ProtocolError(`unknown frame type ${type}`);
  }
}

function decodeCredit(payload: Uint8Array): number {
  const reader = new ByteReader(payload);
  const creditBytes = reader.u32();
  reader.end();
  if (creditBytes === 0 || creditBytes > MAX_WINDOW_BYTES) {
    throw new ProtocolError(`credit of ${creditBytes} bytes, allowed 1 to ${MAX_WINDOW_BYTES}`, ErrorCode.FlowControl);
  }
  return creditBytes;
}
