import { FRAME_HEADER_BYTES, MAX_CONTROL_BYTES, MAX_DATA_BYTES, MAX_HEAD_BYTES } from '../../tunnel/wire/limits.ts';
import { pick, type Random } from './random.ts';

/** Lengths, counts and numbers at which readers tend to err. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];
const LENGTH_EDGES = [MAX_CONTROL_BYTES, MAX_CONTROL_BYTES + 1, MAX_DATA_BYTES + 1, MAX_HEAD_BYTES + 1, 0xffffff];
const FIRST_SESSION_TYPE = 7;

type Mutation = (message: Buffer, random: Random, corpus: readonly Buffer[]) => Buffer;

/** A message as no writer makes it: bytes out of nowhere, or a valid one that was damaged. */
export function strangeMessage(corpus: readonly Buffer[], random: Random): Buffer {
  const kind = random(8);
  if (kind === 0) return randomBytes(random(64), random);
  if (kind === 1) return plausible(random);
  return mutated(corpus, random);
}

/** A message of the corpus after one to three mutations. */
export function mutated(corpus: readonly Buffer[], random: Random): Buffer {
  let message: Buffer = Buffer.from(pick(corpus, random));
  for (let changes = 1 + random(3); changes > 0; changes--) message = pick(MUTATIONS, random)(message, random, corpus);
  return message;
}

/** Where the frames of a message begin, as far as its lengths can be believed. */
function frameStarts(message: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at + FRAME_HEADER_BYTES <= message.length; ) {
    starts.push(at);
    at += FRAME_HEADER_BYTES + message.readUIntBE(at, 3);
  }
  return starts;
}

/** A header that fits, a payload that does not. */
function plausible(random: Random): Buffer {
  const message = randomBytes(FRAME_HEADER_BYTES + random(40), random);
  const type = random(16);
  message.writeUIntBE(message.length - FRAME_HEADER_BYTES, 0, 3);
  message[3] = type;
  message[4] = random(3) === 0 ? random(16) : 0;
  message.writeUInt32BE(type >= FIRST_SESSION_TYPE ? 0 : 1 + random(5), 5);
  return message;
}

function randomBytes(length: number, random: Random): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = random(256);
  return bytes;
}

/** Where a frame begins; undefined when there is none. */
function anyFrame(message: Buffer, random: Random): number | undefined {
  const starts = frameStarts(message);
  return starts.length === 0 ? undefined : pick(starts, random);
}

function frameEnd(message: Buffer, start: number): number {
  return Math.min(message.length, start + FRAME_HEADER_BYTES + message.readUIntBE(start, 3));
}

/** Changes a frame's header or the frame as a whole. */
function onFrame(change: (message: Buffer, start: number, random: Random) => Buffer): Mutation {
  return (message, random) => {
    const start = anyFrame(message, random);
    return start === undefined ? message : change(message, start, random);
  };
}

const MUTATIONS: readonly Mutation[] = [
  function flipBits(message, random) {
    if (message.length === 0) return message;
    for (let flips = 1 + random(4); flips > 0; flips--) {
      const at = random(message.length);
      message[at] = (message[at] ?? 0) ^ (1 << random(8));
    }
    return message;
  },
  function setBytes(message, random) {
    if (message.length === 0) return message;
    for (let changes = 1 + random(3); changes > 0; changes--) message[random(message.length)] = random(256);
    return message;
  },
  function setNumber(message, random) {
    const width = pick([1, 2, 4], random);
    if (message.length < width) return message;
    message.writeUIntBE(pick(EDGES, random) % 256 ** width, random(message.length - width + 1), width);
    return message;
  },
  function truncate(message, random) {
    return message.subarray(0, random(message.length + 1));
  },
  function extend(message, random) {
    return Buffer.concat([message, randomBytes(1 + random(12), random)]);
  },
  function splice(message, random, corpus) {
    const other = pick(corpus, random);
    return Buffer.concat([message.subarray(0, random(message.length + 1)), other.subarray(random(other.length + 1))]);
  },
  function append(message, random, corpus) {
    return Buffer.concat([message, pick(corpus, random)]);
  },
  function repeatBytes(message, random) {
    const at = random(message.length + 1);
    return Buffer.concat([message.subarray(0, at), message.subarray(at - random(at + 1))]);
  },
  onFrame(function setLength(message, start, random) {
    const length = message.readUIntBE(start, 3);
    const wanted = pick([length + 1, Math.max(0, length - 1), random(300), ...LENGTH_EDGES], random);
    message.writeUIntBE(Math.min(wanted, 0xffffff), start, 3);
    return message;
  }),
  onFrame(function setType(message, start, random) {
    message[start + 3] = random(4) === 0 ? random(256) : random(16);
    return message;
  }),
  onFrame(function setFlags(message, start, random) {
    message[start + 4] = random(4) === 0 ? random(256) : 1 << random(8);
    return message;
  }),
  onFrame(function setStream(message, start, random) {
    message.writeUInt32BE(random(2) === 0 ? random(6) : pick(EDGES, random), start + 5);
    return message;
  }),
  onFrame(function duplicateFrame(message, start) {
    const end = frameEnd(message, start);
    return Buffer.concat([message.subarray(0, end), message.subarray(start)]);
  }),
  onFrame(function dropFrame(message, start) {
    return Buffer.concat([message.subarray(0, start), message.subarray(frameEnd(message, start))]);
  }),
  // Lengths stay true, so that what is wrong inside is reached.
  onFrame(function growPayload(message, start, random) {
    const end = frameEnd(message, start);
    const grown = Buffer.concat([message.subarray(0, end), randomBytes(1 + random(8), random), message.subarray(end)]);
    grown.writeUIntBE(Math.min(0xffffff, message.readUIntBE(start, 3) + grown.length - message.length), start, 3);
    return grown;
  }),
];
