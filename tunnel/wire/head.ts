import { ProtocolError } from '../errors.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { Flag } from './codes.ts';
import { MAX_HEADER_LINES } from './limits.ts';

const MAX_DEADLINE_MS = 2 ** 32 - 1;
const MIN_STATUS = 100;
const MAX_STATUS = 599;

/** Who OPEN speaks for. */
const Who = { Nobody: 0, User: 1, UserWithExtras: 2 } as const;

/** Flat list of header lines as they came: name, value, name, value. Never joined, never lower-cased. */
export type RawHeaders = readonly string[];

/** Who the request runs as at the target. Authorised at the hub, checked again by the agent. */
export interface Identity {
  readonly user: string;
  /** Empty when the hub knows none. */
  readonly uid: string;
  readonly groups: readonly string[];
  /** Only there when there are some: each key once, each with a value. Only with the feature `extras`. */
  readonly extras?: readonly Extra[];
}

/** What else is known of a user, by a key that whoever authenticated him chose. */
export interface Extra {
  readonly key: string;
  readonly values: readonly string[];
}

/** What OPEN says. */
export interface RequestHead {
  readonly method: string;
  /** Raw bytes from `/` on, query included: what was authorised is what is sent. */
  readonly path: string;
  readonly headers: RawHeaders;
  /** undefined: the agent refuses, unless the tunnel's access mode is Agent. */
  readonly identity: Identity | undefined;
  /** At most 64 characters. */
  readonly traceId: string;
  /** Milliseconds left when the OPEN was written; 0 is none. Sent in whole ones: rounded up, a passed deadline as 1. */
  readonly deadlineMs: number;
  readonly isLongRunning: boolean;
  readonly isUpgrade: boolean;
}

/** What HEAD says. 1xx heads may come several times before the final one. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: RawHeaders;
  /** Only there when true: the body is deflated on the wire, and the headers speak of it as inflated. */
  readonly isDeflated?: true;
}

/**
 *   method      u8 length + bytes          traceId  u8 length + bytes
 *   path        u16 length + bytes         deadline u32 ms
 *   identity    u8: 0 none, 1 present, 2 with extras; then user, uid: u16 length + UTF-8; groups: texts
 *               2: u16 count of extras, each key: u16 length + UTF-8; values: texts
 *   texts       u16 count, each u16 length + UTF-8
 *   headers     u16 count of lines, each name, value: u16 length + bytes
 * @throws RangeError for what the peer would refuse.
 */
export function encodeRequestHead(head: RequestHead): Uint8Array {
  if (!isRequestLine(head)) throw new RangeError('OPEN without a method or an absolute path');
  const writer = new ByteWriter(512 + head.path.length);
  writer.shortLatin1(head.method).shortLatin1(head.traceId).latin1(head.path).u32(deadlineOf(head));
  writeIdentity(writer, head.identity);
  writeHeaders(writer, head.headers);
  return writer.bytes();
}

/** @throws ProtocolError when the payload is not an OPEN. */
export function decodeRequestHead(payload: Uint8Array, flags: number): RequestHead {
  const reader = new ByteReader(payload);
  const method = reader.latin1(reader.u8());
  const traceId = reader.latin1(reader.u8());
  const path = reader.latin1(reader.u16());
  const deadlineMs = reader.u32();
  const identity = readIdentity(reader);
  const headers = readHeaders(reader);
  reader.end();
  if (!isRequestLine({ method, path })) throw new ProtocolError('OPEN without a method or an absolute path');
  const isLongRunning = (flags & Flag.LongRunning) !== 0;
  const isUpgrade = (flags & Flag.Upgrade) !== 0;
  return { method, path, headers, identity, traceId, deadlineMs, isLongRunning, isUpgrade };
}

/** status u16, then headers as in OPEN. @throws RangeError for what the peer would refuse. */
export function encodeResponseHead({ status, headers }: ResponseHead): Uint8Array {
  if (!isStatus(status)) throw new RangeError(`status ${status} is none of HTTP's`);
  const writer = new ByteWriter();
  writer.u16(status);
  writeHeaders(writer, headers);
  return writer.bytes();
}

/** @throws ProtocolError when the payload is not a HEAD. */
export function decodeResponseHead(payload: Uint8Array, flags: number): ResponseHead {
  const reader = new ByteReader(payload);
  const status = reader.u16();
  if (!isStatus(status)) throw new ProtocolError(`status ${status} is none of HTTP's`);
  const headers = readHeaders(reader);
  reader.end();
  return (flags & Flag.Deflated) === 0 ? { status, headers } : { status, headers, isDeflated: true };
}

/** @throws RangeError for what the peer would refuse. */
export function encodeTrailers(headers: RawHeaders): Uint8Array {
  const writer = new ByteWriter(128);
  writeHeaders(writer, headers);
  return writer.bytes();
}

/** @throws ProtocolError when the payload is not a list of trailer fields. */
export function decodeTrailers(payload: Uint8Array): RawHeaders {
  const reader = new ByteReader(payload);
  const headers = readHeaders(reader);
  reader.end();
  return headers;
}

function isRequestLine({ method, path }: Pick<RequestHead, 'method' | 'path'>): boolean {
  return method !== '' && path.startsWith('/');
}

function isStatus(status: number): boolean {
  return status >= MIN_STATUS && status <= MAX_STATUS;
}

/** Never 0 for a deadline that passed or is about to: 0 says that there is none. */
function deadlineOf({ deadlineMs }: RequestHead): number {
  return deadlineMs === 0 ? 0 : Math.min(Math.max(Math.ceil(deadlineMs), 1), MAX_DEADLINE_MS);
}

function writeIdentity(writer: ByteWriter, identity: Identity | undefined): void {
  if (identity === undefined) {
    writer.u8(Who.Nobody);
    return;
  }
  const { user, uid, groups, extras } = identity;
  writer
    .u8(extras === undefined ? Who.User : Who.UserWithExtras)
    .utf8(user)
    .utf8(uid);
  writeTexts(writer, groups);
  if (extras === undefined) return;
  const trouble = extrasTrouble(extras);
  if (trouble !== undefined) throw new RangeError(trouble);
  writer.u16(extras.length);
  for (const { key, values } of extras) writeTexts(writer.utf8(key), values);
}

function readIdentity(reader: ByteReader): Identity | undefined {
  const who = reader.u8();
  if (who === Who.Nobody) return undefined;
  if (who > Who.UserWithExtras) throw new ProtocolError(`identity marker ${who}, allowed 0 to 2`);
  const user = reader.utf8(reader.u16());
  const uid = reader.utf8(reader.u16());
  const groups = readTexts(reader);
  return who === Who.User ? { user, uid, groups } : { user, uid, groups, extras: readExtras(reader) };
}

function readExtras(reader: ByteReader): readonly Extra[] {
  const count = reader.u16();
  const extras: Extra[] = [];
  for (let index = 0; index < count; index++) {
    extras.push({ key: reader.utf8(reader.u16()), values: readTexts(reader) });
  }
  const trouble = extrasTrouble(extras);
  if (trouble !== undefined) throw new ProtocolError(trouble);
  return extras;
}

/** What would say the same in two ways. */
function extrasTrouble(extras: readonly Extra[]): string | undefined {
  if (extras.length === 0) return 'an identity with extras that has none';
  if (extras.some(({ values }) => values.length === 0)) return 'an extra without a value';
  if (new Set(extras.map(({ key }) => key)).size < extras.length) return 'an extra that is said twice';
  return undefined;
}

function writeTexts(writer: ByteWriter, texts: readonly string[]): void {
  writer.u16(texts.length);
  for (const text of texts) writer.utf8(text);
}

function readTexts(reader: ByteReader): readonly string[] {
  const count = reader.u16();
  const texts: string[] = [];
  for (let index = 0; index < count; index++) texts.push(reader.utf8(reader.u16()));
  return texts;
}

function writeHeaders(writer: ByteWriter, headers: RawHeaders): void {
  if (headers.length > MAX_HEADER_LINES * 2) {
    throw new RangeError(`${headers.length / 2} header lines, allowed ${MAX_HEADER_LINES}`);
  }
  writer.u16(headers.length / 2);
  for (const part of headers) writer.latin1(part);
}

function readHeaders(reader: ByteReader): RawHeaders {
  const lines = reader.u16();
  if (lines > MAX_HEADER_LINES) throw new ProtocolError(`${lines} header lines, allowed ${MAX_HEADER_LINES}`);
  const headers: string[] = [];
  for (let index = 0; index < lines * 2; index++) headers.push(reader.latin1(reader.u16()));
  return headers;
}
