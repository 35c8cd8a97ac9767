import { FrameType } from '../../../tunnel/wire/codes.ts';
import { encode, packMessage } from '../../../tunnel/wire/encode.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import type { FrameOf } from '../peer.ts';

const NOTHING = new Uint8Array(0);

/** What agents say, as frames. */
export function head(
  streamId: number,
  status = 200,
  { headers = [], isEnd = false }: { readonly headers?: RawHeaders; readonly isEnd?: boolean } = {},
): FrameOf<typeof FrameType.Head> {
  return { type: FrameType.Head, streamId, isEnd, head: { status, headers } };
}

/** An answer without a body. */
export function emptyAnswer(streamId: number, status = 200): Frame {
  return head(streamId, status, { isEnd: true });
}

export function data(streamId: number, bytes: Uint8Array | string, { isEnd = false } = {}): Frame {
  return { type: FrameType.Data, streamId, isEnd, data: Buffer.from(bytes) };
}

/** DATA that only ends. */
export function end(streamId: number): Frame {
  return { type: FrameType.Data, streamId, isEnd: true, data: NOTHING };
}

export function trailers(streamId: number, fields: RawHeaders = []): Frame {
  return { type: FrameType.Trailers, streamId, trailers: fields };
}

export function reset(streamId: number, code: number, detail = ''): Frame {
  return { type: FrameType.Reset, streamId, code, detail };
}

export function refused(streamId: number, code: number, detail = ''): Frame {
  return { type: FrameType.Refused, streamId, code, detail };
}

export function credit(streamId: number, creditBytes: number): Frame {
  return { type: FrameType.Window, streamId, creditBytes };
}

export function slots(ordinary: number, longRunning = 0): Frame {
  return { type: FrameType.Slots, slots: { ordinary, longRunning } };
}

export function ping(token: number): Frame {
  return { type: FrameType.Ping, token };
}

export function pong(token: number): Frame {
  return { type: FrameType.Pong, token };
}

export function health(document: Readonly<Record<string, unknown>> = {}): Frame {
  return { type: FrameType.Health, document };
}

export function goaway(lastStreamId: number, document: Readonly<Record<string, unknown>> = {}): Frame {
  return { type: FrameType.Goaway, document: { lastStreamId, code: 9, reason: 'the agent leaves', ...document } };
}

/** Frames as they stand in one message. */
export function bytesOf(...frames: readonly Frame[]): Buffer {
  return packMessage(frames.map(encode));
}

/** One frame as its bytes, whether it is right or not. */
export function raw(type: number, flags: number, streamId: number, payload: Uint8Array | string = NOTHING): Buffer {
  return packMessage([{ type, flags, streamId, payload: Buffer.from(payload) }]);
}

/** Numbers as they stand in payloads. */
export function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, at * 4);
  return bytes;
}
