import { PatternCheck } from '../pattern.ts';
import type { Seen } from './call.ts';

/** Of an answer that is not the upstream's: enough for a Status. */
const MAX_TEXT_BYTES = 16 * 1024;

/** What has been seen of one answer so far. */
export class Seeing {
  readonly #check: PatternCheck;
  #status: number | undefined;
  #contentType = '';
  #retryAfter: string | undefined;
  #answers: string | undefined;
  #text = '';
  /** Bytes before the head: HTTP/2 through Node may tell of them first. */
  #early: Buffer[] = [];

  constructor(answerOffset: number) {
    this.#check = new PatternCheck(answerOffset);
  }

  /** undefined: no head came. */
  get status(): number | undefined {
    return this.#status;
  }

  get hasHead(): boolean {
    return this.#status !== undefined;
  }

  head(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    const text = (name: string) => headers[name]?.toString();
    this.#status = status;
    this.#contentType = text('content-type') ?? '';
    this.#retryAfter = text('retry-after');
    this.#answers = text('x-load-answers');
    for (const chunk of this.#early) this.data(chunk);
    this.#early = [];
  }

  data(chunk: Buffer): void {
    if (!this.hasHead) this.#early.push(chunk);
    else if (this.#answers !== undefined) this.#check.feed(chunk);
    else if (this.#text.length < MAX_TEXT_BYTES) this.#text += chunk.toString('utf8');
  }

  as(end: Seen['end']): Seen {
    return {
      end,
      status: this.#status,
      contentType: this.#contentType,
      retryAfter: this.#retryAfter,
      answers: this.#answers,
      text: this.#text,
      receivedBytes: this.#check.bytes,
      isIntact: this.#check.isIntact,
    };
  }
}
