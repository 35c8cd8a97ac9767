import type { CompressionSettings } from '../crds/agent-settings.ts';
import type { Budget } from '../tunnel/flow/budget.ts';
import { DeflatedBody } from '../tunnel/session/deflated-body.ts';
import type { Stream } from '../tunnel/session/stream.ts';
import { type AnswerFacts, isCompressible } from './compressible.ts';

/** Answers deflated at once in this process: zlib has four threads, and DNS and files need them as well. */
const MAX_AT_ONCE = 4;

/** Bytes of a deflated answer before and after. */
export interface DeflatedBytes {
  readonly plain: number;
  readonly deflated: number;
}

export interface DeflationOptions {
  readonly budget: Budget;
  /** As they are now. */
  readonly settings: () => CompressionSettings;
  readonly onDeflated: (bytes: DeflatedBytes) => void;
}

/** What the agent deflates, and how much of it at once. */
export class Deflation {
  readonly #options: DeflationOptions;
  #running = 0;

  constructor(options: DeflationOptions) {
    this.#options = options;
  }

  /** Answers that are being deflated. */
  get running(): number {
    return this.#running;
  }

  /** The way of this answer's body into `stream`, if it goes deflated; undefined: it goes as it is. */
  begin(
    stream: Pick<Stream, 'isClosed' | 'write' | 'end' | 'reset'>,
    facts: Omit<AnswerFacts, 'settings'>,
    { onDrain }: { readonly onDrain: () => void },
  ): DeflatedBody | undefined {
    const { budget, settings, onDeflated } = this.#options;
    if (stream.isClosed || this.#running >= MAX_AT_ONCE) return undefined;
    if (!isCompressible({ ...facts, settings: settings() })) return undefined;
    const body = DeflatedBody.open({
      stream,
      budget,
      onDrain,
      onClose: (bytes) => {
        this.#running -= 1;
        onDeflated(bytes);
      },
    });
    if (body !== undefined) this.#running += 1;
    return body;
  }
}
