import type { GatewayFixture, RawConnection } from './gateway-fixture.ts';
import { until } from './turns.ts';

/** Frame types of RFC 9113 §6. */
export const Type = {
  Data: 0x0,
  Headers: 0x1,
  Priority: 0x2,
  RstStream: 0x3,
  Settings: 0x4,
  PushPromise: 0x5,
  Ping: 0x6,
  Goaway: 0x7,
  WindowUpdate: 0x8,
  Continuation: 0x9,
} as const;

export const Flag = { EndStream: 0x1, Ack: 0x1, EndHeaders: 0x4, Padded: 0x8, Priority: 0x20 } as const;

/** Error codes of RFC 9113 §7. */
export const Code = {
  None: 0x0,
  Protocol: 0x1,
  Internal: 0x2,
  FlowControl: 0x3,
  StreamClosed: 0x5,
  FrameSize: 0x6,
  Refused: 0x7,
  Cancel: 0x8,
  Compression: 0x9,
  EnhanceYourCalm: 0xb,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** One frame as it arrived. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

export type Fields = readonly (readonly [name: string, value: string])[];

/** A frame of any content (RFC 9113 §4.1). `length`: said in its head, the payload's unless told. */
export function frame(
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array = Buffer.alloc(0),
  length = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id >>> 0, 5);
  return Buffer.concat([head, payload]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** SETTINGS of these parameters. */
export function settings(...parameters: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = parameters.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 0xff]), u32(value)]));
  return frame(Type.Settings, 0, 0, Buffer.concat(payload));
}

/** A header block: literals that are never indexed (RFC 7541 §6.2.3), without Huffman codes. Latin1. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.from([0x10]), literal(name), literal(value)])),
  );
}

/** HEADERS with its whole block. */
export function headers(id: number, fields: Fields, { isEnd = true } = {}): Buffer {
  return frame(Type.Headers, Flag.EndHeaders | (isEnd ? Flag.EndStream : 0), id, block(fields));
}

export function data(id: number, text: string | Uint8Array, { isEnd = false } = {}): Buffer {
  return frame(Type.Data, isEnd ? Flag.EndStream : 0, id, Buffer.from(text));
}

/** RFC 7541 §5.1, with a prefix of 7 bits. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

/** An HTTP/2 connection whose bytes are the test's. */
export class RawHttp2 {
  readonly raw: RawConnection;
  readonly #frames: Frame[] = [];
  #readTo = 0;

  constructor(raw: RawConnection) {
    this.raw = raw;
  }

  /** Connected, with these bytes said at once: the preface and empty SETTINGS unless told. */
  static async open(fixture: GatewayFixture, first: Uint8Array = BEGINNING): Promise<RawHttp2> {
    const connection = new RawHttp2(await fixture.raw('h2'));
    connection.send(first);
    return connection;
  }

  send(...bytes: readonly Uint8Array[]): void {
    if (this.raw.socket.writable) this.raw.socket.write(Buffer.concat(bytes));
  }

  /** The whole frames that arrived. */
  get frames(): readonly Frame[] {
    const { text } = this.raw;
    for (;;) {
      const head = Buffer.from(text.slice(this.#readTo, this.#readTo + 9), 'latin1');
      const end = head.length < 9 ? Number.POSITIVE_INFINITY : this.#readTo + 9 + head.readUIntBE(0, 3);
      if (text.length < end) return this.#frames;
      const payload = Buffer.from(text.slice(this.#readTo + 9, end), 'latin1');
      const id = head.readUInt32BE(5) & 0x7fffffff;
      this.#frames.push({ type: head.readUInt8(3), flags: head.readUInt8(4), id, payload });
      this.#readTo = end;
    }
  }

  get isClosed(): boolean {
    return this.raw.isClosed || this.raw.hasEnded;
  }

  /** The error code of the last GOAWAY. */
  get goneAway(): number | undefined {
    return this.frames.findLast(({ type }) => type === Type.Goaway)?.payload.readUInt32BE(4);
  }

  /** The error code with which a stream was reset. */
  resetOf(id: number): number | undefined {
    return this.frames.find((each) => each.type === Type.RstStream && each.id === id)?.payload.readUInt32BE(0);
  }

  /** The status of a stream's answer. */
  statusOf(id: number): number | undefined {
    const head = this.frames.find((each) => each.type === Type.Headers && each.id === id);
    return head === undefined ? undefined : statusIn(head.payload);
  }

  bodyOf(id: number): string {
    const parts = this.frames.filter((each) => each.type === Type.Data && each.id === id);
    return Buffer.concat(parts.map(({ payload }) => payload)).toString();
  }

  /** The gateway ended this stream's answer. */
  hasEnded(id: number): boolean {
    return this.frames.some((each) => each.id === id && each.type <= Type.Headers && (each.flags & Flag.EndStream) > 0);
  }

  /** Whether the connection lives: everything before it has been read then. */
  async isAlive(): Promise<boolean> {
    const mark = Buffer.from(`alive${String(this.frames.length).padStart(3, '0')}`.slice(-8));
    this.send(frame(Type.Ping, 0, 0, mark));
    const isEcho = ({ type, flags, payload }: Frame) =>
      type === Type.Ping && (flags & Flag.Ack) > 0 && payload.equals(mark);
    await until(() => this.isClosed || this.goneAway !== undefined || this.frames.some(isEcho));
    return !this.isClosed && this.goneAway === undefined;
  }
}

export const BEGINNING = Buffer.concat([PREFACE, settings()]);

/** `:status` at the beginning of a response's block: indexed, or a literal of digits (RFC 7541 §6, appendix A and B). */
function statusIn(payload: Buffer): number {
  const at = [...payload].findIndex((byte) => (byte & 0xe0) !== 0x20);
  const first = payload[at] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return [200, 204, 206, 304, 400, 404, 500][first - 0x88] ?? 0;
  const length = payload[at + 1] ?? 0;
  const bytes = payload.subarray(at + 2, at + 2 + (length & 0x7f));
  return Number(length < 0x80 ? bytes.toString() : huffmanDigits(bytes).slice(0, 3));
}

/** 0, 1 and 2 take five bits, the others six. */
function huffmanDigits(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let digits = '';
  for (let at = 0; at + 5 <= bits.length; ) {
    const short = Number.parseInt(bits.slice(at, at + 5), 2);
    const isShort = short <= 2;
    digits += isShort ? short : Number.parseInt(bits.slice(at, at + 6), 2) - 0b011001 + 3;
    at += isShort ? 5 : 6;
  }
  return digits;
}
