import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SessionEnd } from '../../tunnel/session/session.ts';
import { FrameType, nameOf } from '../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../tunnel/wire/decode.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';
import type { Owner } from '../conformance/harness.ts';

export type Side = 'agent' | 'gateway';

/** One WebSocket message as it was sent. */
export interface Message {
  readonly from: Side;
  readonly bytes: Buffer;
}

/** What became of a stream, as its owner on one side heard it. */
interface StreamOutcome {
  readonly heads: readonly number[];
  readonly body: unknown;
  readonly trailers: readonly string[] | undefined;
  readonly isEnded: boolean;
  readonly error: string | undefined;
}

/** What a session came to on one side. */
export interface Outcome {
  readonly streams: readonly StreamOutcome[];
  readonly end: SessionEnd | undefined;
}

/** The readable page beside the bytes. */
export interface Page {
  readonly messages: readonly { readonly from: Side; readonly frames: readonly unknown[] }[];
  readonly outcome: Readonly<Record<Side, Outcome>>;
}

export const GOLDEN_FOLDER = fileURLToPath(new URL('../golden/wire/', import.meta.url));

/** One message a line: who sent it, then its bytes in hex. */
export function hexLines(messages: readonly Message[]): string {
  return messages.map(({ from, bytes }) => `${from.padEnd(7)} ${bytes.toString('hex')}\n`).join('');
}

/** Every recorded session, in order. */
export function transcriptNames(): string[] {
  const files = readdirSync(GOLDEN_FOLDER).filter((file) => file.endsWith('.hex'));
  return files.map((file) => file.slice(0, -'.hex'.length)).sort();
}

/** A recorded session: its messages, and the page that says what they are. */
export function readTranscript(name: string): { messages: Message[]; page: Page } {
  const lines = readFileSync(join(GOLDEN_FOLDER, `${name}.hex`), 'utf8')
    .trimEnd()
    .split('\n');
  const messages = lines.map((line): Message => {
    const [from, hex] = line.split(/\s+/);
    return { from: from as Side, bytes: Buffer.from(hex ?? '', 'hex') };
  });
  return { messages, page: JSON.parse(readFileSync(join(GOLDEN_FOLDER, `${name}.json`), 'utf8')) as Page };
}

/** All frames of a message; undefined for one that is skipped. */
export function framesOf(message: Uint8Array): (Frame | undefined)[] {
  const frames: (Frame | undefined)[] = [];
  decodeMessage(
    message,
    (frame) => frames.push(frame),
    () => frames.push(undefined),
  );
  return frames;
}

/** Frames as people read them and as JSON carries them. */
export function readableFrames(frames: readonly (Frame | undefined)[]): unknown[] {
  return plain(frames.map(readable)) as unknown[];
}

export function outcomeOf(owners: readonly Owner[], ends: readonly SessionEnd[]): Outcome {
  const streams = owners.map(({ heads, chunks, trailers, ends: ended, errors }) => ({
    heads: heads.map(({ status }) => status),
    body: readableBytes(Buffer.concat(chunks)),
    trailers,
    isEnded: ended > 0,
    error: errors[0] === undefined ? undefined : `${nameOf(errors[0].code)} ${errors[0].execution}`,
  }));
  return plain({ streams, end: ends[0] }) as Outcome;
}

const NAMES = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name.toUpperCase()]));

function readable(frame: Frame | undefined): unknown {
  if (frame === undefined) return { type: 'skipped' };
  const named = { ...onlyTrue(frame), type: NAMES.get(frame.type) };
  if (frame.type === FrameType.Data) return { ...named, data: readableBytes(frame.data) };
  if (frame.type === FrameType.Reset || frame.type === FrameType.Refused) return { ...named, code: nameOf(frame.code) };
  return 'head' in frame ? { ...named, head: onlyTrue(frame.head) } : named;
}

/** Without flags that are not set: a flag of a later version changes no page of an earlier one. */
function onlyTrue(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== false));
}

/** Latin-1 text; a long repetition as what is repeated. */
function readableBytes(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString('latin1');
  const [first = ''] = text;
  return text.length > 64 && text === first.repeat(text.length) ? { repeated: first, times: text.length } : text;
}

/** Without what JSON leaves out. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
