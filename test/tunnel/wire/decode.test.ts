import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError } from '../../../tunnel/errors.ts';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../../tunnel/wire/decode.ts';
import { encode, packMessage } from '../../../tunnel/wire/encode.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import { NaiveError, naiveDecode, naiveEncode } from '../../support/naive-codec.ts';
import { bytesFrom, comparable, frame } from './frames.ts';

function decodeAll(message: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  decodeMessage(message, (each) => frames.push(each));
  return frames;
}

function hex(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** The error of decoding; fails when there is none or another. */
function troubleOf(message: Uint8Array): ProtocolError {
  try {
    decodeAll(message);
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error('decoded');
}

/** The twin is slow: of so many inputs it judges one of each kind. */
const TWIN_EVERY = 10;

/** Mostly plausible headers, so that payload decoders are reached. */
function randomBytes(below: (limit: number) => number): Uint8Array {
  const bytes = Buffer.allocUnsafe(below(48));
  for (let at = 0; at < bytes.length; at++) bytes[at] = below(256);
  if (bytes.length < 9 || below(4) === 0) return bytes;
  bytes.writeUIntBE(bytes.length - 9, 0, 3);
  bytes[3] = below(16);
  bytes[4] = below(3) === 0 ? below(8) : 0;
  bytes.writeUInt32BE(bytes[3] >= FrameType.Slots ? 0 : 1 + below(5), 5);
  return bytes;
}

/** A valid message with a few bytes changed, cut, repeated or inserted. */
function mutate(valid: readonly Uint8Array[], below: (limit: number) => number): Uint8Array {
  const bytes = Buffer.from(valid[below(valid.length)] ?? []);
  for (let changes = 1 + below(3); changes > 0; changes--) bytes[below(bytes.length)] = below(256);
  const at = below(bytes.length);
  switch (below(4)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at - below(at + 1))]);
    default:
      return bytes;
  }
}

/** Most inputs are refused: without stacks, errors cost little. */
function withoutStacks(run: () => void): void {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    run();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** Both codecs give the same frames, or both refuse; anything else is thrown. */
function agreeOn(bytes: Uint8Array): void {
  const fast = orRefused(() => decodeAll(bytes), ProtocolError);
  const naive = orRefused(() => naiveDecode(bytes), NaiveError);
  if (fast === undefined || naive === undefined) {
    if (fast !== naive) throw new Error(`the codecs disagree on ${Buffer.from(bytes).toString('hex')}`);
    return;
  }
  if (!isDeepStrictEqual(comparable(fast), comparable(naive))) {
    throw new Error(`the codecs read ${Buffer.from(bytes).toString('hex')} differently`);
  }
}

function orRefused(decode: () => Frame[], refusal: typeof ProtocolError | typeof NaiveError): Frame[] | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof refusal) return undefined;
    throw error;
  }
}

describe('tunnel/wire/decode', () => {
  const broken: readonly (readonly [sentence: string, bytes: string, code: number])[] = [
    ['a message that ends in a frame header', '000000 00 00 000000', ErrorCode.Protocol],
    ['a message that ends in a payload', '000002 00 00 00000001 61', ErrorCode.Protocol],
    ['a type it must know and does not', '000000 0f 00 00000000', ErrorCode.Protocol],
    ['a flag that its type does not know', '000000 00 02 00000001', ErrorCode.Protocol],
    ['DATA for the session', '000000 00 00 00000000', ErrorCode.Protocol],
    ['a stream id of 32 bits', '000000 00 00 80000000', ErrorCode.Protocol],
    ['PING for a stream', '000004 08 00 00000001 00000001', ErrorCode.Protocol],
    ['PING that is too long', '000005 08 00 00000000 0000000100', ErrorCode.Protocol],
    ['PING that is too short', '000003 08 00 00000000 000001', ErrorCode.Protocol],
    ['SLOTS with bytes left over', '000009 07 00 00000000 000000010000000100', ErrorCode.Protocol],
    ['credit of zero', '000004 06 00 00000001 00000000', ErrorCode.FlowControl],
    ['credit beyond 2^31-1', '000004 06 00 00000001 80000000', ErrorCode.FlowControl],
    ['a status below 100', '000004 03 00 00000001 0063 0000', ErrorCode.Protocol],
    ['a status above 599', '000004 03 00 00000001 0258 0000', ErrorCode.Protocol],
    ['more header lines than allowed', '000004 03 00 00000001 00c8 00c9', ErrorCode.Protocol],
    ['OPEN without a method', '00000c 02 00 00000001 00 00 0001 2f 00000000 00 0000', ErrorCode.Protocol],
    ['OPEN with a relative path', '00000d 02 00 00000001 01 47 00 0001 2a 00000000 00 0000', ErrorCode.Protocol],
    [
      'OPEN with a strange identity marker',
      '00000d 02 00 00000001 01 47 00 0001 2f 00000000 02 0000',
      ErrorCode.Protocol,
    ],
    ['RESET without a code', '000003 04 00 00000001 000000', ErrorCode.Protocol],
    ['RESET whose text is not UTF-8', '000005 04 00 00000001 00000001 ff', ErrorCode.Protocol],
    ['HELLO that is not JSON', '000001 0a 00 00000000 7b', ErrorCode.Protocol],
    ['HELLO that is a list', '000002 0a 00 00000000 5b5d', ErrorCode.Protocol],
    ['HELLO that is null', '000004 0a 00 00000000 6e756c6c', ErrorCode.Protocol],
  ];
  for (const [sentence, bytes, code] of broken) {
    it(`refuses ${sentence}`, () => {
      expect(troubleOf(hex(bytes)).code).to.equal(code);
      expect(() => naiveDecode(hex(bytes)), 'the naive twin').to.throw(NaiveError);
    });
  }

  const limits: readonly (readonly [name: string, type: number, stream: number, bytes: number])[] = [
    ['DATA', FrameType.Data, 1, 64 * 1024],
    ['OPEN', FrameType.Open, 1, 80 * 1024],
    ['HEAD', FrameType.Head, 1, 80 * 1024],
    ['TRAILERS', FrameType.Trailers, 1, 80 * 1024],
    ['HEALTH', FrameType.Health, 0, 4 * 1024],
    ['RESET', FrameType.Reset, 1, 4 * 1024],
  ];
  for (const [name, type, streamId, bytes] of limits) {
    it(`refuses ${name} longer than ${bytes} bytes before it looks inside`, () => {
      const message = packMessage([{ type, flags: 0, streamId, payload: new Uint8Array(bytes + 1) }]);
      expect(troubleOf(message).code).to.equal(ErrorCode.FrameSize);
    });
  }

  it('delivers the frames that stand before a broken one', () => {
    const seen: Frame[] = [];
    const ping = packMessage([encode({ type: FrameType.Ping, token: 7 })]);
    expect(() => decodeMessage(Buffer.concat([ping, hex('000000 0f 00 00000000')]), (f) => seen.push(f))).to.throw(
      ProtocolError,
    );
    expect(seen).to.deep.equal([{ type: FrameType.Ping, token: 7 }]);
  });

  it('skips types of a newer peer that say they may be skipped, whatever their flags and stream', () => {
    expect(decodeAll(hex('000003 80 ff ffffffff aabbcc 000004 08 00 00000000 00000009'))).to.deep.equal([
      { type: FrameType.Ping, token: 9 },
    ]);
  });

  it('hands out DATA as a view into the message', () => {
    const message = packMessage([
      encode({ type: FrameType.Data, streamId: 1, isEnd: false, data: Buffer.from('body') }),
    ]);
    const [data] = decodeAll(message);
    expect(data?.type === FrameType.Data && data.data.buffer === message.buffer).to.equal(true);
  });

  it('passes on an exception of the receiver as it is', () => {
    const ping = packMessage([encode({ type: FrameType.Ping, token: 7 })]);
    const bug = new TypeError('bug');
    expect(() =>
      decodeMessage(ping, () => {
        throw bug;
      }),
    ).to.throw(bug);
  });

  it('property: decode(encode(f)) equals f, and the naive twin writes and reads the same bytes', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 4 }), (frames) => {
        const message = packMessage(frames.map(encode));
        expect(comparable(decodeAll(message))).to.deep.equal(comparable(frames));
        expect(Buffer.concat(frames.map(naiveEncode)).equals(message), 'same bytes').to.equal(true);
        expect(comparable(naiveDecode(message))).to.deep.equal(comparable(frames));
      }),
      { numRuns: 1_000 },
    );
  });

  it('property: any bytes become frames or a ProtocolError, as the naive twin says (200 000 inputs)', function () {
    this.timeout(10_000);
    const samples = fc.sample(fc.array(frame, { minLength: 1, maxLength: 3 }), { numRuns: 400, seed: 20_261_122 });
    const valid = samples.map((frames) => packMessage(frames.map(encode)));
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const below = bytesFrom(seed);
        withoutStacks(() => {
          for (let input = 0; input < 1_000; input++) {
            const bytes = input % 2 === 0 ? randomBytes(below) : mutate(valid, below);
            if (input % TWIN_EVERY < 2) agreeOn(bytes);
            else orRefused(() => decodeAll(bytes), ProtocolError);
          }
        });
      }),
      { numRuns: 200 },
    );
  });
});
