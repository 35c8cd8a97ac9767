import fc from 'fast-check';
import { readTranscript, transcriptNames } from '../../test/support/transcript.ts';
import { frame } from '../../test/tunnel/wire/frames.ts';
import { FrameType } from '../../tunnel/wire/codes.ts';
import { encode, packMessage } from '../../tunnel/wire/encode.ts';
import { MAX_DATA_BYTES } from '../../tunnel/wire/limits.ts';

/** Fixed: a corpus is the same in every run. */
const CORPUS_SEED = 20_261_122;
const MESSAGES = 300;
/** Longest random message; the few at the limits are added by hand, since they cost most of the time. */
const FREQUENT_BYTES = 2_000;

/** Valid messages: recorded ones, random ones of every frame type, and some at the limits; and a few that one mutation never makes. */
export function corpus(): Buffer[] {
  const random = fc
    .sample(fc.array(frame, { minLength: 1, maxLength: 3 }), { numRuns: MESSAGES, seed: CORPUS_SEED })
    .map((frames) => packMessage(frames.map(encode)))
    .filter((message) => message.length <= FREQUENT_BYTES);
  const recorded = transcriptNames().flatMap((name) => readTranscript(name).messages.map(({ bytes }) => bytes));
  return [...random, ...recorded, ...atLimits(), ...nearlyValid()];
}

function atLimits(): Buffer[] {
  const groups = Array.from({ length: 1_000 }, () => '');
  const head = {
    method: 'GET',
    path: '/',
    headers: [],
    identity: { user: '', uid: '', groups },
    traceId: '',
    deadlineMs: 0,
    isLongRunning: false,
    isUpgrade: false,
  };
  const headers = Array.from({ length: 400 }, (_, index) => 'x'.repeat(index % 40));
  return [
    packMessage([encode({ type: FrameType.Data, streamId: 1, isEnd: false, data: new Uint8Array(MAX_DATA_BYTES) })]),
    packMessage([encode({ type: FrameType.Open, streamId: 1, isEnd: true, head })]),
    packMessage([encode({ type: FrameType.Head, streamId: 1, isEnd: false, head: { status: 200, headers } })]),
    packMessage([encode({ type: FrameType.Health, document: { list: Array.from({ length: 1_000 }, () => []) } })]),
    packMessage([encode({ type: FrameType.Health, document: JSON.parse(nested(650)) })]),
  ];
}

/** Wrong in one thing that takes more than a byte or two. */
function nearlyValid(): Buffer[] {
  const lines = Buffer.concat([Buffer.from([0, 200, 0, 201]), Buffer.alloc(201 * 4)]);
  const documents = ['[]', 'null', '"x"', '7', '\ufeff{}', '{} ', ' {}', '{}{}'];
  return [
    packMessage([{ type: FrameType.Head, flags: 0, streamId: 1, payload: lines }]),
    packMessage([{ type: FrameType.Trailers, flags: 0, streamId: 1, payload: lines.subarray(2) }]),
    ...documents.map((text) =>
      packMessage([{ type: FrameType.Config, flags: 0, streamId: 0, payload: Buffer.from(text) }]),
    ),
    packMessage([{ type: FrameType.Ping, flags: 0, streamId: 0, payload: Buffer.alloc(5) }]),
    packMessage([{ type: FrameType.Data, flags: 0, streamId: 1, payload: Buffer.alloc(MAX_DATA_BYTES + 1) }]),
  ];
}

/** Objects inside objects, as deep as a document's length allows. */
function nested(depth: number): string {
  return `${'{"":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
}
