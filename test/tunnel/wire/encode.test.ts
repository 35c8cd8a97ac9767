import { expect } from 'chai';
import fc from 'fast-check';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../../tunnel/wire/decode.ts';
import { encode, encodedBytes, maxPayloadBytes, packMessage } from '../../../tunnel/wire/encode.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import { comparable } from './frames.ts';

const HEAD: RequestHead = {
  method: 'GET',
  path: '/api',
  headers: [],
  identity: undefined,
  traceId: 't',
  deadlineMs: 0,
  isLongRunning: false,
  isUpgrade: false,
};

const open = (head: Partial<RequestHead>): Frame => ({
  type: FrameType.Open,
  streamId: 1,
  isEnd: true,
  head: { ...HEAD, ...head },
});
const head = (status: number, headers: readonly string[]): Frame => ({
  type: FrameType.Head,
  streamId: 1,
  isEnd: false,
  head: { status, headers },
});
const who = (user: string, groups: readonly string[] = []) => ({ identity: { user, uid: '', groups } });

function decodeAll(message: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  decodeMessage(message, (each) => frames.push(each));
  return frames;
}

describe('tunnel/wire/encode', () => {
  it('writes length, type, flags, stream id and payload, big-endian', () => {
    const message = packMessage([
      encode({ type: FrameType.Data, streamId: 258, isEnd: true, data: Buffer.from('hi') }),
    ]);
    expect(Buffer.from(message).toString('hex')).to.equal('000002000100000102' + '6869');
  });

  it('says how long a frame is on the wire', () => {
    expect(encodedBytes(encode({ type: FrameType.Ping, token: 1 }))).to.equal(13);
  });

  it('packs frames in order', () => {
    const frames: Frame[] = [
      { type: FrameType.Ping, token: 1 },
      { type: FrameType.Pong, token: 2 },
    ];
    expect(decodeAll(packMessage(frames.map(encode)))).to.deep.equal(frames);
  });

  it('cuts the text of RESET at 1024 bytes, between characters', () => {
    const frame = encode({ type: FrameType.Reset, streamId: 1, code: 5, detail: 'é'.repeat(1_000) });
    expect(decodeAll(packMessage([frame]))).to.deep.equal([
      { type: FrameType.Reset, streamId: 1, code: 5, detail: 'é'.repeat(512) },
    ]);
  });

  const unsendable: readonly (readonly [sentence: string, frame: Frame])[] = [
    ['DATA beyond 64 KiB', { type: FrameType.Data, streamId: 1, isEnd: false, data: new Uint8Array(65_537) }],
    ['a head beyond 80 KiB', head(200, ['a', 'x'.repeat(60_000), 'b', 'x'.repeat(30_000)])],
    ['a header longer than its length field', head(200, ['a', 'x'.repeat(65_536)])],
    ['a document beyond 4 KiB', { type: FrameType.Health, document: { text: 'x'.repeat(4_096) } }],
    ['more header lines than the peer accepts', head(200, Array(402).fill('x'))],
    ['a header list with a name and no value', head(200, ['name'])],
    ['a header with a character that is no byte', head(200, ['x', 'caf\u0165'])],
    ['a character whose low byte is a line feed (smuggling)', head(200, ['x', 'a\u010ab'])],
    ['a path with a character that is no byte', open({ path: '/\u0161' })],
    ['a method with a character that is no byte', open({ method: 'GE\u0154' })],
    ['a relative path', open({ path: '*' })],
    ['an empty method', open({ method: '' })],
    ['a trace id beyond 255 bytes', open({ traceId: 'x'.repeat(256) })],
    ['a user with half a surrogate pair, which UTF-8 would turn into another user', open(who('a\ud800'))],
    ['a group with half a surrogate pair', open(who('a', ['\udc00b']))],
    ['a user longer than its length field', open(who('x'.repeat(65_536)))],
    ['more groups than a head holds', open(who('a', Array(45_000).fill('')))],
    ['more groups than their count field', open(who('a', Array(65_536).fill('')))],
    ['a status that no peer accepts', head(999, [])],
    ['a status below 100', head(0, [])],
    ['credit of zero', { type: FrameType.Window, streamId: 1, creditBytes: 0 }],
    ['credit beyond 2^31-1', { type: FrameType.Window, streamId: 1, creditBytes: 2 ** 31 }],
  ];
  for (const [sentence, frame] of unsendable) {
    it(`throws a RangeError for ${sentence}`, () => {
      expect(() => encode(frame)).to.throw(RangeError);
    });
  }

  it('keeps a byte order mark in front of a user: it is another user without', () => {
    const frame = open(who('\ufeffadmin', ['\ufeffsystem:masters']));
    expect(decodeAll(packMessage([encode(frame)]))).to.deep.equal([frame]);
  });

  const deadlines: readonly (readonly [given: number, sent: number])[] = [
    [0, 0],
    [0.2, 1],
    [1_500.5, 1_501],
    [-3, 1],
    [2 ** 40, 2 ** 32 - 1],
  ];
  for (const [given, sent] of deadlines) {
    it(`sends a deadline of ${given} ms as ${sent}: a passed one never becomes none`, () => {
      expect(decodeAll(packMessage([encode(open({ deadlineMs: given }))]))).to.deep.equal([open({ deadlineMs: sent })]);
    });
  }

  it('property: what encode accepts, decode gives back as it was', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('', '\ud800', '\ufeff', '\u010a', 'é', 'x'.repeat(256), 'x'.repeat(40_000), 'x'.repeat(70_000)),
    );
    const extra = fc.record({ key: text, values: fc.array(text, { maxLength: 3 }) });
    const extras = fc.array(extra, { maxLength: 3 });
    const any: fc.Arbitrary<Frame> = fc.oneof(
      fc
        .record({
          method: text,
          path: text.map((rest) => `/${rest}`),
          headers: fc.array(text, { maxLength: 6 }),
          identity: fc.option(
            fc.record(
              { user: text, uid: text, groups: fc.array(text, { maxLength: 4 }), extras },
              { requiredKeys: ['user', 'uid', 'groups'] },
            ),
            {
              nil: undefined,
            },
          ),
          traceId: text,
        })
        .map(open),
      fc.tuple(fc.integer({ min: -1, max: 70_000 }), fc.array(text, { maxLength: 6 })).map(([s, h]) => head(s, h)),
    );
    fc.assert(
      fc.property(any, (frame) => {
        let message: Uint8Array;
        try {
          message = packMessage([encode(frame)]);
        } catch (error) {
          expect(error).to.be.instanceOf(RangeError);
          return;
        }
        expect(comparable(decodeAll(message))).to.deep.equal(comparable([frame]));
      }),
      { numRuns: 1_000 },
    );
  });

  it('knows the longest payload of every type', () => {
    expect(maxPayloadBytes(FrameType.Data)).to.equal(65_536);
    expect(maxPayloadBytes(FrameType.Head)).to.equal(81_920);
    expect(maxPayloadBytes(FrameType.Window)).to.equal(4_096);
  });
});
