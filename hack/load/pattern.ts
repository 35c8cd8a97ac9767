import { createHash } from 'node:crypto';

/** Each block begins with its number, so that bytes that are lost, doubled or moved show. */
const BLOCK_BYTES = 4 * 1024;
const NUMBER_BYTES = 8;
/** The rest of every block: the same each time, and nothing that a compressor could make much smaller. */
const FILLER = filler(BLOCK_BYTES - NUMBER_BYTES);

/** `bytes` of the endless pattern from `offset` on. */
export function pattern(offset: number, bytes: number): Buffer {
  const chunk = Buffer.allocUnsafe(bytes);
  let at = 0;
  while (at < bytes) {
    const position = offset + at;
    const inside = position % BLOCK_BYTES;
    const block = blockAt(position);
    at += block.copy(chunk, at, inside);
  }
  return chunk;
}

/** Compares what arrives with the pattern, from `start` on. */
export class PatternCheck {
  readonly #start: number;
  #offset = 0;
  #isIntact = true;

  constructor(start = 0) {
    this.#start = start;
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#offset;
  }

  get isIntact(): boolean {
    return this.#isIntact;
  }

  feed(chunk: Uint8Array): void {
    this.#isIntact &&= pattern(this.#start + this.#offset, chunk.length).equals(chunk);
    this.#offset += chunk.length;
  }
}

const scratch = Buffer.concat([Buffer.alloc(NUMBER_BYTES), FILLER]);

function blockAt(position: number): Buffer {
  scratch.writeBigUInt64BE(BigInt(Math.floor(position / BLOCK_BYTES)));
  return scratch;
}

function filler(bytes: number): Buffer {
  const parts = Array.from({ length: Math.ceil(bytes / 32) }, (_, at) => createHash('sha256').update(`${at}`).digest());
  return Buffer.concat(parts).subarray(0, bytes);
}
