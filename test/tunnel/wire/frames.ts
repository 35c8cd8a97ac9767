import fc from 'fast-check';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';

const latin1 = (options: fc.StringConstraints) =>
  fc.string({ ...options, unit: fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)) });
/** Any Unicode text, a byte order mark in front included: identities are the user's to choose. */
const unicode = (maxLength: number) =>
  fc
    .tuple(fc.boolean(), fc.string({ unit: 'binary', maxLength }))
    .map(([isMarked, text]) => (isMarked ? `\ufeff${text}` : text));
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const streamId = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const headers = fc
  .array(fc.tuple(latin1({ maxLength: 12 }), latin1({ maxLength: 40 })), { maxLength: 8 })
  .map((lines) => lines.flat());
const reason = { streamId, code: u32, detail: unicode(40) };

const extra = fc.record({ key: unicode(12), values: fc.array(unicode(12), { minLength: 1, maxLength: 3 }) });
const extras = fc.uniqueArray(extra, { selector: ({ key }) => key, minLength: 1, maxLength: 3 });

const requestHead: fc.Arbitrary<RequestHead> = fc.record({
  method: latin1({ minLength: 1, maxLength: 12 }),
  path: latin1({ maxLength: 60 }).map((rest) => `/${rest}`),
  headers,
  identity: fc.option(
    fc.record(
      { user: unicode(20), uid: unicode(20), groups: fc.array(unicode(12), { maxLength: 5 }), extras },
      { requiredKeys: ['user', 'uid', 'groups'] },
    ),
    {
      nil: undefined,
    },
  ),
  traceId: latin1({ maxLength: 64 }),
  deadlineMs: u32,
  isLongRunning: fc.boolean(),
  isUpgrade: fc.boolean(),
});

const document = fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 6 }).map(
  // What JSON can carry: no -0, own members only.
  (value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>,
);

const documentType = fc.constantFrom(
  FrameType.Hello,
  FrameType.Welcome,
  FrameType.Health,
  FrameType.Config,
  FrameType.Goaway,
);

/** Every frame that the wire can carry. */
export const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant(FrameType.Data),
    streamId,
    isEnd: fc.boolean(),
    data: fc.uint8Array({ maxLength: 200 }),
  }),
  fc.record({ type: fc.constant(FrameType.Trailers), streamId, trailers: headers }),
  fc.record({ type: fc.constant(FrameType.Open), streamId, isEnd: fc.boolean(), head: requestHead }),
  fc.record({
    type: fc.constant(FrameType.Head),
    streamId,
    isEnd: fc.boolean(),
    head: fc.record(
      { status: fc.integer({ min: 100, max: 599 }), headers, isDeflated: fc.constant(true as const) },
      { requiredKeys: ['status', 'headers'] },
    ),
  }),
  fc.record({ type: fc.constant(FrameType.Reset), ...reason }),
  fc.record({ type: fc.constant(FrameType.Refused), ...reason }),
  fc.record({
    type: fc.constant(FrameType.Window),
    streamId,
    creditBytes: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  }),
  fc.record({ type: fc.constant(FrameType.Slots), slots: fc.record({ ordinary: u32, longRunning: u32 }) }),
  fc.record({ type: fc.constantFrom(FrameType.Ping, FrameType.Pong), token: u32 }),
  fc.record({ type: documentType, document }) as fc.Arbitrary<Frame>,
);

/** Frames in a shape that deep equality can compare: bytes as hex. */
export function comparable(frames: readonly Frame[]): unknown[] {
  return frames.map((each) =>
    each.type === FrameType.Data ? { ...each, data: Buffer.from(each.data).toString('hex') } : each,
  );
}
