import { Allocations } from './allocations.ts';
import { strangeMessage } from './mutate.ts';
import { judge } from './oracle.ts';
import { type Random, seeded, seedOf } from './random.ts';

/** The twin is slow: it judges one input of so many. */
const TWIN_EVERY = 4;
const NETWORK_CHUNK_BYTES = 64 * 1024;

/** A message that broke a promise. */
export interface Finding {
  readonly index: number;
  readonly what: string;
  readonly hex: string;
}

/** Makes one strange message after another for the decoder, always the same ones for the same seed. */
export class DecoderFuzz {
  readonly #corpus: readonly Buffer[];
  readonly #seed: number;
  /** Messages that were valid after all. */
  accepted = 0;

  constructor(seed: number, corpus: readonly Buffer[]) {
    this.#seed = seed;
    this.#corpus = corpus;
  }

  /** Tries the messages from `from` up to `to`; the first finding ends it. */
  run(from: number, to: number): Finding | undefined {
    const allocations = new Allocations();
    try {
      return withoutStacks(() => {
        for (let index = from; index < to; index++) {
          const finding = this.#try(index, allocations);
          if (finding !== undefined) return finding;
        }
        return undefined;
      });
    } finally {
      allocations.stop();
    }
  }

  #try(index: number, allocations: Allocations): Finding | undefined {
    const random = seeded(seedOf(this.#seed, index));
    const message = strangeMessage(this.#corpus, random);
    try {
      if (judge(placed(message, random), { withTwin: index % TWIN_EVERY === 0, allocations })) this.accepted += 1;
      return undefined;
    } catch (error) {
      return { index, what: error instanceof Error ? error.message : String(error), hex: message.toString('hex') };
    }
  }
}

/** Now and then as the network brings it: somewhere in a larger piece of memory. */
function placed(message: Buffer, random: Random): Buffer {
  if (random(64) > 0 || message.length > NETWORK_CHUNK_BYTES) return message;
  const chunk = Buffer.from(new ArrayBuffer(NETWORK_CHUNK_BYTES));
  const at = random(NETWORK_CHUNK_BYTES - message.length + 1);
  message.copy(chunk, at);
  return chunk.subarray(at, at + message.length);
}

/** Most inputs are refused: without stacks, errors cost little. */
function withoutStacks<T>(run: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
