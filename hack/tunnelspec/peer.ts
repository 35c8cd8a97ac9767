import { WebSocket } from 'ws';
import { ErrorCode, FrameType, nameOf } from '../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../tunnel/wire/decode.ts';
import { encode, packMessage } from '../../tunnel/wire/encode.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';

export type FrameOf<T extends Frame['type']> = Extract<Frame, { type: T }>;

/** How long the live peer may take for what it does at once. */
const SOON_MS = 3_000;

/** How a session ended. */
export interface Ending {
  /** Of the last GOAWAY; undefined when none came. */
  readonly code: number | undefined;
  readonly reason: string;
}

/**
 * Frames over one open WebSocket and no rules: what a case sends is its own business. Answers PING unless told not to;
 * does nothing else by itself, so credit and slots are the case's.
 */
export class RawPeer {
  readonly socket: WebSocket;
  /** Everything that came, in order. */
  readonly heard: Frame[] = [];
  /** Whether PING is answered. */
  answersPings = true;
  /** Says of a frame that it is no business of any case: then nobody hears of it. */
  isAside: (frame: Frame) => boolean = () => false;
  /** Messages that came, each with the number of its frames. */
  readonly messages: number[] = [];
  readonly #taken = new Set<Frame>();
  readonly #changed = new Set<() => void>();
  #isOver = false;
  #error: Error | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (message: Buffer) => this.#receive(message));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isOver = true;
      this.#news();
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Frames in one message. */
  send(...frames: readonly Frame[]): void {
    this.sendBytes(packMessage(frames.map(encode)));
  }

  /** One binary message, whatever is in it. */
  sendBytes(bytes: Uint8Array): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(bytes, { binary: true });
  }

  sendText(text: string): void {
    this.socket.send(text, { binary: false });
  }

  /** The first frame of this type that no call took before. */
  next<T extends Frame['type']>(
    type: T,
    matches: (frame: FrameOf<T>) => boolean = () => true,
    withinMs = SOON_MS,
  ): Promise<FrameOf<T>> {
    return this.until(
      `a frame of type ${type}`,
      () => {
        const frame = this.all(type).find((each) => !this.#taken.has(each) && matches(each));
        if (frame !== undefined) this.#taken.add(frame);
        return frame;
      },
      withinMs,
    );
  }

  /** All frames of one type that came. */
  all<T extends Frame['type']>(type: T): FrameOf<T>[] {
    return this.heard.filter((frame): frame is FrameOf<T> => frame.type === type);
  }

  /** The body of one stream, as far as it came. */
  body(streamId: number): Buffer {
    return Buffer.concat(
      this.all(FrameType.Data).flatMap((frame) => (frame.streamId === streamId ? [frame.data] : [])),
    );
  }

  /** DATA bytes of one stream. */
  dataBytes(streamId: number): number {
    return this.all(FrameType.Data).reduce(
      (sum, frame) => sum + (frame.streamId === streamId ? frame.data.length : 0),
      0,
    );
  }

  /** The first result of `look` that is not undefined, looked for whenever something came. @throws Error naming `what`. */
  until<R>(what: string, look: () => R | undefined, withinMs = SOON_MS): Promise<R> {
    return new Promise((resolve, reject) => {
      const check = () => {
        let result: R | undefined;
        try {
          if (this.#error !== undefined) throw this.#error;
          result = look();
        } catch (error) {
          settle();
          return reject(error);
        }
        if (result === undefined) return;
        settle();
        resolve(result);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`expected ${what} within ${withinMs} ms; ${this.#story()}`));
      }, withinMs);
      const settle = () => {
        clearTimeout(timer);
        this.#changed.delete(check);
      };
      this.#changed.add(check);
      check();
    });
  }

  /** Resolves when the connection is closed. */
  async ended(withinMs = SOON_MS): Promise<Ending> {
    await this.until('the session to end', () => this.#isOver || undefined, withinMs);
    const goaway = this.all(FrameType.Goaway).at(-1)?.document;
    return {
      code: typeof goaway?.['code'] === 'number' ? goaway['code'] : undefined,
      reason: String(goaway?.['reason'] ?? ''),
    };
  }

  /** @throws Error unless the session ends with this code. */
  async expectEnd(code: ErrorCode, withinMs = SOON_MS): Promise<void> {
    const ending = await this.ended(withinMs);
    if (ending.code === code) return;
    const came = ending.code === undefined ? 'no GOAWAY' : `${nameOf(ending.code)} (${ending.reason})`;
    throw new Error(`expected the session to end with ${nameOf(code)}, came ${came}`);
  }

  /**
   * As `expectEnd`, for what a greeted session ends over at once.
   * @throws Error as soon as it goes on: a PING behind what was sent is answered.
   */
  async expectEndAtOnce(code?: ErrorCode): Promise<void> {
    const token = Math.floor(Math.random() * 2 ** 32);
    this.send({ type: FrameType.Ping, token });
    await this.until('the session to end', () => {
      const hasAnswered = this.all(FrameType.Pong).some((frame) => frame.token === token);
      if (hasAnswered) throw new Error(`expected the session to end, it goes on; ${this.#story()}`);
      return this.#isOver || undefined;
    });
    if (code !== undefined) await this.expectEnd(code);
  }

  /** @throws Error unless the session goes on: PING is answered. What was sent before has been handled by then. */
  async expectAlive(withinMs = SOON_MS): Promise<void> {
    const token = Math.floor(Math.random() * 2 ** 32);
    this.send({ type: FrameType.Ping, token });
    const look = () => {
      if (this.#isOver) throw new Error(`expected the session to go on, it ended; ${this.#story()}`);
      return this.all(FrameType.Pong).find((frame) => frame.token === token);
    };
    await this.until('PONG', look, withinMs);
  }

  /** Stops to read: the peer's bytes stay in the system's buffers. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Cuts the connection: no GOAWAY, no close frame. */
  drop(): void {
    this.socket.terminate();
  }

  /** Says goodbye properly, as far as the peer is still there. */
  close(): void {
    if (this.socket.readyState === WebSocket.OPEN) {
      this.send({
        type: FrameType.Goaway,
        document: { lastStreamId: 0, code: ErrorCode.None, reason: 'the case is over' },
      });
    }
    this.socket.close();
    setTimeout(() => this.socket.terminate(), 200).unref();
  }

  #receive(message: Buffer): void {
    const before = this.heard.length;
    try {
      decodeMessage(Buffer.from(message), (frame) => {
        if (this.isAside(frame)) return;
        this.heard.push(frame);
        if (frame.type === FrameType.Ping && this.answersPings) this.send({ type: FrameType.Pong, token: frame.token });
      });
    } catch (error) {
      this.#error = new Error(`the peer sent what is no message of this wire: ${String(error)}`);
    }
    this.messages.push(this.heard.length - before);
    this.#news();
  }

  #news(): void {
    for (const check of [...this.#changed]) check();
  }

  #story(): string {
    const last = this.heard.slice(-6).map(({ type }) => nameOfType(type));
    return `last came: ${last.join(', ') || 'nothing'}${this.#isOver ? ', then the connection closed' : ''}`;
  }
}

function nameOfType(type: number): string {
  return Object.entries(FrameType).find(([, value]) => value === type)?.[0] ?? String(type);
}
