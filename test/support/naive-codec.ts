/**
 * A second codec, slow and obvious: PROTOCOL's tables written down field by field on a DataView.
 * It shares nothing with tunnel/wire but the numbers, so that the two can disagree.
 */
import type { Frame } from '../../tunnel/wire/frame.ts';
import type { RawHeaders, RequestHead } from '../../tunnel/wire/head.ts';

const DATA = 0;
const TRAILERS = 1;
const OPEN = 2;
const HEAD = 3;
const RESET = 4;
const REFUSED = 5;
const WINDOW = 6;
const SLOTS = 7;
const PING = 8;
const PONG = 9;
const GOAWAY = 14;
const KIB = 1024;

/** Every way in which bytes are not a message. */
export class NaiveError extends Error {}

/** All frames of one message. @throws NaiveError. */
export function naiveDecode(message: Uint8Array): Frame[] {
  const { frames, trouble } = naiveRead(message);
  if (trouble !== undefined) throw trouble;
  return frames;
}

/** The frames of one message up to the first that is none, and what is wrong with that one. */
export function naiveRead(message: Uint8Array): { frames: Frame[]; trouble: NaiveError | undefined } {
  const frames: Frame[] = [];
  try {
    readFrames(new Cursor(message), frames);
    return { frames, trouble: undefined };
  } catch (error) {
    if (error instanceof NaiveError) return { frames, trouble: error };
    throw error;
  }
}

function readFrames(cursor: Cursor, frames: Frame[]): void {
  while (cursor.left > 0) {
    const length = cursor.uint(3);
    const type = cursor.uint(1);
    const flags = cursor.uint(1);
    const streamId = cursor.uint(4);
    const payload = cursor.slice(length);
    if (type >= 0x80) continue;
    must(type <= GOAWAY, 'type');
    must(length <= limitOf(type), 'length');
    must((flags & ~flagsOf(type)) === 0, 'flags');
    must(type >= SLOTS ? streamId === 0 : streamId >= 1 && streamId <= 0x7fffffff, 'stream');
    frames.push(frameOf(type, flags, streamId, new Cursor(payload)));
  }
}

/** One frame as its bytes. */
export function naiveEncode(frame: Frame): Uint8Array {
  const payload = payloadOf(frame);
  const streamId = 'streamId' in frame ? frame.streamId : 0;
  return Uint8Array.from([...uint(payload.length, 3), frame.type, flagBits(frame), ...uint(streamId, 4), ...payload]);
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new NaiveError(what);
}

function limitOf(type: number): number {
  if (type === DATA) return 64 * KIB;
  return type === OPEN || type === HEAD || type === TRAILERS ? 80 * KIB : 4 * KIB;
}

function flagsOf(type: number): number {
  if (type === OPEN) return 1 | 2 | 4;
  if (type === HEAD) return 1 | 8;
  return type === DATA ? 1 : 0;
}

function flagBits(frame: Frame): number {
  const end = 'isEnd' in frame && frame.isEnd ? 1 : 0;
  if (frame.type === HEAD) return end | (frame.head.isDeflated ? 8 : 0);
  if (frame.type !== OPEN) return end;
  return end | (frame.head.isLongRunning ? 2 : 0) | (frame.head.isUpgrade ? 4 : 0);
}

function frameOf(type: number, flags: number, streamId: number, at: Cursor): Frame {
  const isEnd = (flags & 1) === 1;
  const done = <F extends Frame>(frame: F): F => {
    must(at.left === 0, 'leftover');
    return frame;
  };
  switch (type) {
    case DATA:
      return { type, streamId, isEnd, data: at.slice(at.left) };
    case TRAILERS:
      return done({ type, streamId, trailers: headersOf(at) });
    case OPEN:
      return done({ type, streamId, isEnd, head: requestOf(at, flags) });
    case HEAD: {
      const status = at.uint(2);
      must(status >= 100 && status <= 599, 'status');
      const headers = headersOf(at);
      const head = (flags & 8) === 8 ? { status, headers, isDeflated: true as const } : { status, headers };
      return done({ type, streamId, isEnd, head });
    }
    case RESET:
    case REFUSED:
      return { type, streamId, code: at.uint(4), detail: at.utf8(at.left) };
    case WINDOW: {
      const frame = done({ type, streamId, creditBytes: at.uint(4) });
      must(frame.creditBytes >= 1 && frame.creditBytes <= 0x7fffffff, 'credit');
      return frame;
    }
    case SLOTS:
      return done({ type, slots: { ordinary: at.uint(4), longRunning: at.uint(4) } });
    case PING:
    case PONG:
      return done({ type, token: at.uint(4) });
    default:
      return { type: type as 10 | 11 | 12 | 13 | 14, document: documentOf(at.utf8(at.left)) };
  }
}

function documentOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new NaiveError('json');
  }
  must(typeof value === 'object' && value !== null && !Array.isArray(value), 'object');
  return value as Record<string, unknown>;
}

function requestOf(at: Cursor, flags: number): RequestHead {
  const method = at.latin1(at.uint(1));
  const traceId = at.latin1(at.uint(1));
  const path = at.latin1(at.uint(2));
  const deadlineMs = at.uint(4);
  const marker = at.uint(1);
  must(marker <= 2, 'identity');
  const identity = marker === 0 ? undefined : identityOf(at, marker === 2);
  const headers = headersOf(at);
  must(method !== '' && path[0] === '/', 'request line');
  const isLongRunning = (flags & 2) !== 0;
  const isUpgrade = (flags & 4) !== 0;
  return { method, path, headers, identity, traceId, deadlineMs, isLongRunning, isUpgrade };
}

function identityOf(at: Cursor, hasExtras: boolean) {
  const user = at.utf8(at.uint(2));
  const uid = at.utf8(at.uint(2));
  const groups = textsOf(at);
  if (!hasExtras) return { user, uid, groups };
  const extras: { key: string; values: string[] }[] = [];
  for (let left = at.uint(2); left > 0; left--) extras.push({ key: at.utf8(at.uint(2)), values: textsOf(at) });
  must(extras.length > 0, 'no extras');
  for (const [index, { key, values }] of extras.entries()) {
    must(values.length > 0, 'no values');
    must(extras.findIndex((each) => each.key === key) === index, 'twice');
  }
  return { user, uid, groups, extras };
}

function textsOf(at: Cursor): string[] {
  const texts: string[] = [];
  for (let left = at.uint(2); left > 0; left--) texts.push(at.utf8(at.uint(2)));
  return texts;
}

function headersOf(at: Cursor): string[] {
  const lines = at.uint(2);
  must(lines <= 200, 'lines');
  const headers: string[] = [];
  for (let left = lines * 2; left > 0; left--) headers.push(at.latin1(at.uint(2)));
  return headers;
}

function payloadOf(frame: Frame): readonly number[] {
  switch (frame.type) {
    case DATA:
      return [...frame.data];
    case TRAILERS:
      return headerBytes(frame.trailers);
    case OPEN:
      return requestBytes(frame.head);
    case HEAD:
      return [...uint(frame.head.status, 2), ...headerBytes(frame.head.headers)];
    case RESET:
    case REFUSED:
      return [...uint(frame.code, 4), ...utf8(frame.detail)];
    case WINDOW:
      return uint(frame.creditBytes, 4);
    case SLOTS:
      return [...uint(frame.slots.ordinary, 4), ...uint(frame.slots.longRunning, 4)];
    case PING:
    case PONG:
      return uint(frame.token, 4);
    default:
      return utf8(JSON.stringify(frame.document));
  }
}

function requestBytes(head: RequestHead): number[] {
  const { identity } = head;
  const who =
    identity === undefined
      ? [0]
      : [
          identity.extras === undefined ? 1 : 2,
          ...counted(utf8(identity.user)),
          ...counted(utf8(identity.uid)),
          ...textBytes(identity.groups),
          ...(identity.extras === undefined ? [] : uint(identity.extras.length, 2)),
          ...(identity.extras ?? []).flatMap(({ key, values }) => [...counted(utf8(key)), ...textBytes(values)]),
        ];
  return [
    ...[head.method.length, ...latin1(head.method)],
    ...[head.traceId.length, ...latin1(head.traceId)],
    ...counted(latin1(head.path)),
    ...uint(head.deadlineMs, 4),
    ...who,
    ...headerBytes(head.headers),
  ];
}

function headerBytes(headers: RawHeaders): number[] {
  return [...uint(headers.length / 2, 2), ...headers.flatMap((part) => counted(latin1(part)))];
}

function textBytes(texts: readonly string[]): number[] {
  return [...uint(texts.length, 2), ...texts.flatMap((text) => counted(utf8(text)))];
}

function counted(bytes: readonly number[]): number[] {
  return [...uint(bytes.length, 2), ...bytes];
}

function uint(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** (bytes - 1 - index)) % 256);
}

function latin1(text: string): number[] {
  return Array.from(text, (char) => char.charCodeAt(0));
}

function utf8(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

class Cursor {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#view.byteLength - this.#at;
  }

  uint(bytes: number): number {
    let value = 0;
    for (const byte of this.slice(bytes)) value = value * 256 + byte;
    return value;
  }

  slice(bytes: number): Uint8Array {
    must(bytes <= this.left, 'short');
    const start = this.#view.byteOffset + this.#at;
    this.#at += bytes;
    return new Uint8Array(this.#view.buffer, start, bytes);
  }

  latin1(bytes: number): string {
    let text = '';
    for (const byte of this.slice(bytes)) text += String.fromCharCode(byte);
    return text;
  }

  utf8(bytes: number): string {
    const slice = this.slice(bytes);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(slice);
    } catch {
      throw new NaiveError('utf8');
    }
  }
}
