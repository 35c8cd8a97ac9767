import type { Stream, StreamEvents } from '../../tunnel/session/stream.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import type { Random } from './random.ts';

const BODY_BYTES = 40_000;
const CHUNK = Buffer.alloc(5_000, 'x');
const DEADLINE_MS = 60_000;
/** What arrives without anybody reading. */
const FIRST_CREDIT_BYTES = 15_000;

/** When a stream is cancelled, and by whom. */
export const MOMENTS = [
  'before OPEN is written',
  'before the head',
  'in the request body',
  'in the middle of the answer',
  'after the end, unread',
  'by the agent before the head',
  'by the agent in the middle',
  'refused by the agent',
  'not at all',
] as const;
export type Moment = (typeof MOMENTS)[number];

/** Counts streams of both ends, as objects and as exchanges. */
export class Census {
  born = 0;
  alive = 0;
  /** Not closed yet. */
  open = 0;
  readonly #registry = new FinalizationRegistry(() => {
    this.alive -= 1;
  });

  add(stream: Stream): void {
    this.born += 1;
    this.alive += 1;
    this.open += 1;
    this.#registry.register(stream, undefined);
  }
}

export interface ClientOptions {
  readonly moment: Moment;
  readonly random: Random;
  readonly census: Census;
}

/** What a request's owner at the gateway does. */
export class Client implements StreamEvents {
  readonly #stream: Stream;
  readonly #options: ClientOptions;
  readonly #cancelDeadline: () => void;
  /** Bytes of the answer after which a client leaves. */
  readonly #patienceBytes: number;
  #seenBytes = 0;

  constructor(stream: Stream, options: ClientOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#patienceBytes = 1 + options.random(BODY_BYTES);
    this.#cancelDeadline = stream.after(DEADLINE_MS, () => stream.reset(ErrorCode.Deadline));
    options.census.add(stream);
    stream.attach(this);
  }

  start(): void {
    const { moment, random } = this.#options;
    if (moment === 'before OPEN is written') return this.#cancel();
    if (moment === 'in the request body') {
      this.#stream.write(Buffer.alloc(random(BODY_BYTES)));
      setImmediate(() => this.#cancel());
      return;
    }
    this.#stream.write(CHUNK);
    this.#stream.end();
    if (moment === 'before the head') setImmediate(() => this.#cancel());
  }

  onData(chunk: Uint8Array): void {
    const { moment } = this.#options;
    this.#seenBytes += chunk.length;
    if (moment !== 'after the end, unread') this.#stream.consume(chunk.length);
    if (moment === 'in the middle of the answer' && this.#seenBytes >= this.#patienceBytes) this.#cancel();
  }

  onEnd(): void {}

  onError(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#cancelDeadline();
    this.#options.census.open -= 1;
    if (this.#options.moment === 'after the end, unread') setImmediate(() => this.#cancel());
  }

  #cancel(): void {
    this.#stream.reset(ErrorCode.Cancel, 'the client went away');
  }
}

/** What a request's owner at the agent does. Bound to no session: it announces its slot through `onFree`. */
export class Server implements StreamEvents {
  readonly #stream: Stream;
  readonly #moment: Moment;
  readonly #census: Census;
  readonly #onFree: () => void;
  readonly #cancelDeadline: () => void;
  #leftBytes: number;

  constructor(stream: Stream, moment: Moment, { census, onFree }: { census: Census; onFree: () => void }) {
    this.#stream = stream;
    this.#moment = moment;
    this.#census = census;
    this.#onFree = onFree;
    this.#leftBytes = moment === 'after the end, unread' ? FIRST_CREDIT_BYTES : BODY_BYTES;
    this.#cancelDeadline = stream.after(DEADLINE_MS, () => stream.reset(ErrorCode.Deadline));
    census.add(stream);
    stream.attach(this);
  }

  start(): void {
    switch (this.#moment) {
      case 'before OPEN is written':
        throw new Error('an OPEN came that was taken back before it was written');
      case 'before the head':
      case 'in the request body':
        return;
      case 'refused by the agent':
        return this.#stream.refuse(ErrorCode.Overload, 'no worker');
      case 'by the agent before the head':
        return this.#stream.reset(ErrorCode.UpstreamReset, 'ECONNRESET');
      case 'by the agent in the middle':
        setImmediate(() => this.#stream.reset(ErrorCode.UpstreamReset, 'ECONNRESET'));
        break;
      default:
    }
    this.#stream.sendHead({ status: 200, headers: [] });
    this.onDrain();
  }

  onData(chunk: Uint8Array): void {
    this.#stream.consume(chunk.length);
  }

  onEnd(): void {}

  onError(): void {}

  onDrain(): void {
    while (this.#leftBytes > 0) {
      this.#leftBytes -= CHUNK.length;
      if (!this.#stream.write(CHUNK)) return;
    }
    this.#stream.end();
  }

  onClose(): void {
    this.#cancelDeadline();
    this.#census.open -= 1;
    this.#onFree();
  }
}
