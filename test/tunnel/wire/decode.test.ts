import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError } from '../../../tunnel/errors.ts';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../../tunnel/wire/decode.ts';
import { encode, packMessage } from '../../../tunnel/wire/encode.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import { NaiveError, naiveDecode, naiveEncode } from '../../support/naive-codec.ts';
import { comparable, frame } from './frames.ts';

function decodeAll(message: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  decodeMessage(message, (each) => frames.push(each));
  return frames;
}

function hex(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** In hex: of user `j`, without uid and groups. */
function openWithExtras(extras: string): string {
  const payload = `01 47 00 0001 2f 00000000 02 0001 6a 0000 0000 ${extras} 0000`.replaceAll(' ', '');
  return `${(payload.length / 2).toString(16).padStart(6, '0')} 02 00 00000001 ${payload}`;
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
      '00000d 02 00 00000001 01 47 00 0001 2f 00000000 03 0000',
      ErrorCode.Protocol,
    ],
    ['OPEN with extras that are none', openWithExtras('0000'), ErrorCode.Protocol],
    ['OPEN with an extra without values', openWithExtras('0001 0001 61 0000'), ErrorCode.Protocol],
    ['OPEN with an extra said twice', openWithExtras('0002 0001 61 0001 0000 0001 61 0001 0000'), ErrorCode.Protocol],
    ['OPEN with fewer extras than it says', openWithExtras('0002 0001 61 0001 0000'), ErrorCode.Protocol],
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

  const shares: readonly (readonly [sentence: string, dataBytes: number, isView: boolean])[] = [
    ['does not keep the chunk of the network for a small DATA that came in it', 100, false],
    ['copies no DATA that is a good part of its chunk', 20_000, true],
  ];
  for (const [sentence, dataBytes, isView] of shares) {
    it(sentence, () => {
      const encoded = packMessage([
        encode({ type: FrameType.Data, streamId: 1, isEnd: false, data: Buffer.alloc(dataBytes, 'x') }),
      ]);
      // As ws hands it over: one message of many in what was read from the socket at once.
      const chunk = Buffer.from(new ArrayBuffer(64 * 1024));
      encoded.copy(chunk, 300);
      const [data] = decodeAll(chunk.subarray(300, 300 + encoded.length));
      if (data?.type !== FrameType.Data) throw new Error('no DATA');
      expect(data.data.buffer === chunk.buffer, 'a view into the chunk').to.equal(isView);
      expect(Buffer.from(data.data).equals(Buffer.alloc(dataBytes, 'x'))).to.equal(true);
    });
  }

  it('copies nothing of a full message in which four streams had their turn', () => {
    const turns = [1, 2, 3, 4].map((streamId) =>
      encode({ type: FrameType.Data, streamId, isEnd: false, data: new Uint8Array(16 * 1024) }),
    );
    const message = packMessage(turns, (bytes) => Buffer.from(new ArrayBuffer(bytes)));
    const views = decodeAll(message).filter(
      (frame) => frame.type === FrameType.Data && frame.data.buffer === message.buffer,
    );
    expect(views).to.have.length(4);
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

  it('property: decode(encode(f)) equals f, and the naive twin writes and reads the same bytes', function () {
    this.timeout(10_000);
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
});
