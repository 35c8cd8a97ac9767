import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import { encodeRequestHead, type RequestHead } from '../../../tunnel/wire/head.ts';
import { u32 } from '../gateway/words.ts';
import { GET } from './lab.ts';

const KIB = 1024;
/** A header list of none. */
export const NO_FIELDS = Buffer.from([0, 0]);

/** OPEN's payload. */
export function openPayload(change: Partial<RequestHead> = {}): Buffer {
  return Buffer.from(encodeRequestHead({ ...GET, ...change }));
}

/** `a` with one empty value, as it stands in OPEN. */
export const EXTRA: readonly number[] = [0, 1, 0x61, 0, 1, 0, 0];

/** OPEN's payload with an identity of this kind of user `j`, with these bytes behind his groups; no header fields. */
export function openPayloadWith(kind: number, extras: readonly number[]): Buffer {
  const nobody = openPayload({ identity: undefined, headers: [] });
  const user = [kind, 0, 1, 0x6a, 0, 0, 0, 0, ...extras];
  return Buffer.concat([nobody.subarray(0, -1 - NO_FIELDS.length), Buffer.from(user), NO_FIELDS]);
}

/** The bytes with one text in them replaced by another. */
export function replaced(bytes: Buffer, from: string, to: string): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1');
}

/** OPEN's payload with header lines that fill it up to so many bytes. */
export function openOf(bytes: number): Buffer {
  const first = ['x', 'a'.repeat(40 * KIB), 'y'];
  const least = openPayload({ headers: [...first, ''] });
  return openPayload({ headers: [...first, 'b'.repeat(bytes - least.length)] });
}

/** A list of two fields of so many bytes. */
export function fieldsOf(bytes: number): Buffer {
  const field = (value: Buffer) => Buffer.concat([Buffer.from([0, 1, 0x78]), u32(value.length).subarray(2), value]);
  const first = field(Buffer.alloc(40 * KIB, 'a'));
  const rest = field(Buffer.alloc(bytes - NO_FIELDS.length - first.length - 5, 'b'));
  return Buffer.concat([Buffer.from([0, 2]), first, rest]);
}

/** A JSON object of so many bytes. */
export function objectOf(bytes: number): string {
  return JSON.stringify({ filler: 'x'.repeat(bytes - '{"filler":""}'.length) });
}

/** A code and a text, of so many bytes. */
export function reasonOf(bytes: number): Buffer {
  return Buffer.concat([u32(ErrorCode.Cancel), Buffer.alloc(bytes - 4, 'x')]);
}
