import { ProtocolError } from '../errors.ts';
import { ErrorCode } from './codes.ts';

/** A byte order mark is kept: a user whose name begins with one is another user. */
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What latin1 has no byte for. Node would write its low byte: U+010A becomes a line feed. */
const BEYOND_LATIN1 = /[\u0100-\uffff]/;
/** Half a pair has no UTF-8. Node would write the replacement character: another text. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Reads the fields of one payload. Every read past the end is the peer's fault. Big-endian. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** A view, not a copy: valid as long as the message. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Byte-for-byte text: paths and header fields (RFC 9110 §5.5). */
  latin1(length: number): string {
    const start = this.#take(length);
    return this.#bytes.toString('latin1', start, start + length);
  }

  utf8(length: number): string {
    try {
      return utf8Decoder.decode(this.bytes(length));
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      throw new ProtocolError('text is not UTF-8', ErrorCode.Protocol, { cause: error });
    }
  }

  /** @throws ProtocolError when bytes are left over. */
  end(): void {
    if (this.remaining > 0) throw new ProtocolError(`${this.remaining} bytes left after the last field`);
  }

  #take(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) {
      throw new ProtocolError(`payload ends early: field of ${length} bytes, ${this.remaining} left`);
    }
    this.#at = start + length;
    return start;
  }
}

/** Builds one payload. Big-endian. @throws RangeError for what a field cannot hold exactly; nothing is cut or replaced. */
export class ByteWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(expectedBytes = 512) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes);
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes.writeUInt8(whole(value), at);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#bytes.writeUInt16BE(whole(value), at);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeUInt32BE(whole(value), at);
    return this;
  }

  /** Length as u8, then the bytes. */
  shortLatin1(text: string): this {
    this.u8(text.length);
    return this.#latin1(text);
  }

  /** Length as u16, then the bytes. */
  latin1(text: string): this {
    this.u16(text.length);
    return this.#latin1(text);
  }

  /** Length in bytes as u16, then UTF-8. */
  utf8(text: string): this {
    if (LONE_SURROGATE.test(text)) throw new RangeError('text with half a surrogate pair');
    const length = Buffer.byteLength(text, 'utf8');
    this.u16(length);
    const at = this.#room(length);
    this.#bytes.write(text, at, length, 'utf8');
    return this;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #latin1(text: string): this {
    if (BEYOND_LATIN1.test(text)) throw new RangeError('text with characters that are no bytes');
    const at = this.#room(text.length);
    this.#bytes.write(text, at, text.length, 'latin1');
    return this;
  }

  #room(length: number): number {
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    this.#at = end;
    return start;
  }
}

/** Buffer checks bounds but drops fractions. */
function whole(value: number): number {
  if (!Number.isInteger(value)) throw new RangeError(`${value} is no whole number`);
  return value;
}
