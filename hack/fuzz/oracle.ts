import { isDeepStrictEqual } from 'node:util';
import { type NaiveError, naiveRead } from '../../test/support/naive-codec.ts';
import { ProtocolError } from '../../tunnel/errors.ts';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../tunnel/wire/decode.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';
import { FRAME_HEADER_BYTES } from '../../tunnel/wire/limits.ts';
import type { Allocations } from './allocations.ts';

/** What decoding one message came to. */
interface Reading {
  readonly frames: readonly Frame[];
  readonly refusal: ErrorCode | undefined;
}

/** Most memory that DATA of one byte may keep alive: a pool of Node's small buffers. */
const LEAST_HELD_BYTES = 8 * 1024;
const HELD_SHARE = 5;

/** What judging takes beside the message. */
export interface Bench {
  /** The twin is slow. */
  readonly withTwin: boolean;
  readonly allocations: Allocations;
}

/**
 * Judges what the decoder makes of a message. Returns whether it took all of it.
 * @throws Error with a sentence for people when a promise is broken.
 */
export function judge(message: Uint8Array, { withTwin, allocations }: Bench): boolean {
  allocations.bytes = 0;
  const reading = read(message);
  if (allocations.bytes > message.length) throw new Error(`the decoder asked for ${allocations.bytes} bytes`);
  holdsNoMoreThan(message.length, reading.frames);
  if (withTwin) agreesWithTwin(message, reading);
  return reading.refusal === undefined;
}

function read(message: Uint8Array): Reading {
  const frames: Frame[] = [];
  try {
    decodeMessage(message, (frame) => frames.push(frame));
    return { frames, refusal: undefined };
  } catch (error) {
    if (error instanceof ProtocolError) return { frames, refusal: error.code };
    throw new Error(`the decoder threw ${error}`, { cause: error });
  }
}

/** Everything that was made of a message is as large as the message itself at most, whatever numbers stand in it. */
function holdsNoMoreThan(messageBytes: number, frames: readonly Frame[]): void {
  if (frames.length * FRAME_HEADER_BYTES > messageBytes) throw new Error(`${frames.length} frames`);
  const size = { units: 0, parts: 0 };
  for (const frame of frames) {
    addSize(contentOf(frame), size);
    if (frame.type !== FrameType.Data) continue;
    const held = frame.data.buffer.byteLength;
    if (held > Math.max(LEAST_HELD_BYTES, frame.data.length * HELD_SHARE)) {
      throw new Error(`DATA of ${frame.data.length} bytes keeps ${held} bytes alive`);
    }
  }
  if (size.units > messageBytes)
    throw new Error(`${size.units} characters and bytes were made of ${messageBytes} bytes`);
  if (size.parts > messageBytes) throw new Error(`${size.parts} parts were made of ${messageBytes} bytes`);
}

/** What a frame says that its fixed fields do not bound. */
function contentOf(frame: Frame): unknown {
  switch (frame.type) {
    case FrameType.Data:
      return frame.data;
    case FrameType.Trailers:
      return frame.trailers;
    case FrameType.Open: {
      const { method, path, traceId, headers, identity } = frame.head;
      return [[method, path, traceId].join(''), headers, identity === undefined ? [] : [[...Object.values(identity)]]];
    }
    case FrameType.Head:
      return frame.head.headers;
    case FrameType.Reset:
    case FrameType.Refused:
      return frame.detail;
    default:
      return 'document' in frame ? frame.document : undefined;
  }
}

/** Adds characters and bytes, and the number of things that hold them. */
function addSize(value: unknown, size: { units: number; parts: number }): void {
  size.parts += 1;
  if (typeof value === 'string' || value instanceof Uint8Array) size.units += value.length;
  else if (Array.isArray(value)) for (const each of value) addSize(each, size);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      size.units += name.length;
      addSize(member, size);
    }
  }
}

/** The naive twin reads the same frames, and refuses the same one with the same code. */
function agreesWithTwin(message: Uint8Array, { frames, refusal }: Reading): void {
  const twin = naiveRead(message);
  const code = twin.trouble === undefined ? undefined : codeOf(twin.trouble);
  if (code !== refusal) throw new Error(`refused with ${refusal}, by the twin with ${code}`);
  if (!isDeepStrictEqual(frames.map(comparable), twin.frames.map(comparable))) {
    throw new Error('the twin reads other frames');
  }
}

function codeOf(trouble: NaiveError): ErrorCode {
  if (trouble.message === 'length') return ErrorCode.FrameSize;
  return trouble.message === 'credit' ? ErrorCode.FlowControl : ErrorCode.Protocol;
}

/** Bytes of both codecs have types of their own. */
function comparable(frame: Frame): unknown {
  return frame.type === FrameType.Data ? { ...frame, data: Buffer.from(frame.data).toString('latin1') } : frame;
}
