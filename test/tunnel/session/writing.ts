import { Outbox } from '../../../tunnel/session/outbox.ts';
import { Slabs } from '../../../tunnel/session/slabs.ts';
import type { Transport } from '../../../tunnel/session/transport.ts';
import { Writer } from '../../../tunnel/session/writer.ts';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import { encode } from '../../../tunnel/wire/encode.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const PERIOD = 251;
const PATTERN = Buffer.from(Array.from({ length: 1024 * PERIOD }, (_, index) => index % PERIOD));

/** A writer that must not die, under a clock that moves by hand. */
export function writerOver(transport: Transport): { writer: Writer; clock: ManualClock } {
  const clock = new ManualClock();
  const writer = new Writer({
    transport,
    slabs: new Slabs({ isPoisoned: true }),
    clock,
    deadlines: () => ({ controlWriteMs: Number.POSITIVE_INFINITY, dataWriteMs: Number.POSITIVE_INFINITY }),
    onDead: (error) => {
      throw error;
    },
  });
  return { writer, clock };
}

/** One stream's outbox, with what was put into it: the bytes are their own positions, so that no two places look alike. */
export class Script {
  readonly id: number;
  readonly outbox: Outbox;
  readonly #writer: Writer;
  #heads = 0;
  #bodyBytes = 0;
  #end: 'data' | 'trailers' | undefined;
  isRemoved = false;

  constructor(id: number, writer: Writer, onTaken: (script: Script) => void = () => {}) {
    this.id = id;
    this.#writer = writer;
    this.outbox = new Outbox(
      id,
      () => Number.POSITIVE_INFINITY,
      () => onTaken(this),
    );
  }

  /** Heads come before the body. */
  head(bytes: number): void {
    if (this.#isOver || this.#bodyBytes > 0) return;
    const value = 'h'.repeat(Math.max(0, bytes));
    const head = { status: 200, headers: ['n', String(this.#heads++), 'x', value] };
    this.outbox.pushFrame(encode({ type: FrameType.Head, streamId: this.id, isEnd: false, head }));
    this.#writer.wake(this.outbox);
  }

  data(bytes: number): void {
    if (this.#isOver) return;
    this.outbox.pushData(positions(this.#bodyBytes, bytes));
    this.#bodyBytes += bytes;
    this.#writer.wake(this.outbox);
  }

  end(withTrailers: boolean): void {
    if (this.#isOver) return;
    this.#end = withTrailers ? 'trailers' : 'data';
    const trailers = ['Bytes', String(this.#bodyBytes)];
    if (withTrailers) this.outbox.pushFrame(encode({ type: FrameType.Trailers, streamId: this.id, trailers }));
    else this.outbox.pushEnd();
    this.#writer.wake(this.outbox);
  }

  credit(bytes: number): void {
    if (this.outbox.window.grant(bytes)) this.#writer.wake(this.outbox);
  }

  /** As a stream does that was reset. */
  remove(): void {
    this.isRemoved = true;
    this.outbox.clear();
    this.#writer.remove(this.id, this.outbox);
  }

  /** Why these frames are not the beginning, or, if asked for, all of what was put in; undefined: they are. */
  problemWith(frames: readonly Frame[], { isAll }: { readonly isAll: boolean }): string | undefined {
    const heads = frames.flatMap((frame) => (frame.type === FrameType.Head ? [Number(frame.head.headers[1])] : []));
    const body = Buffer.concat(frames.flatMap((frame) => (frame.type === FrameType.Data ? [frame.data] : [])));
    const kinds = frames.map((frame) => (frame.type === FrameType.Head ? 'h' : isEnd(frame) ? 'e' : 'd')).join('');
    if (!/^h*d*e?$/.test(kinds)) return `heads, body and end stand as ${kinds}`;
    if (heads.some((head, index) => head !== index)) return `heads came as ${heads.join(', ')}`;
    if (!body.equals(positions(0, body.length))) return 'the body is another one';
    if (kinds.endsWith('e') && body.length !== this.#bodyBytes)
      return `ended after ${body.length} of ${this.#bodyBytes} bytes`;
    if (!isAll) return undefined;
    if (heads.length !== this.#heads || body.length !== this.#bodyBytes) return 'something did not come';
    return kinds.endsWith('e') === (this.#end !== undefined) ? undefined : 'the end did not come';
  }

  get #isOver(): boolean {
    return this.#end !== undefined || this.isRemoved;
  }
}

function isEnd(frame: Frame): boolean {
  return frame.type === FrameType.Trailers || (frame.type === FrameType.Data && frame.isEnd);
}

/** The bytes of a body from a place on: each is its place modulo 251. */
function positions(from: number, bytes: number): Buffer {
  const start = from % PERIOD;
  if (start + bytes <= PATTERN.length) return PATTERN.subarray(start, start + bytes);
  return Buffer.from(Array.from({ length: bytes }, (_, index) => (from + index) % PERIOD));
}
