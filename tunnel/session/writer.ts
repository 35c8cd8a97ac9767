import { ProtocolError } from '../errors.ts';
import { Lanes } from '../flow/lanes.ts';
import { LinkSpeed } from '../flow/link-speed.ts';
import type { Timer } from '../flow/timer.ts';
import { ErrorCode, FrameType } from '../wire/codes.ts';
import type { Slots } from '../wire/documents.ts';
import { type EncodedFrame, encode, encodedBytes, packMessage } from '../wire/encode.ts';
import { MAX_WINDOW_BYTES, MESSAGE_TARGET_BYTES } from '../wire/limits.ts';
import type { Outbox } from './outbox.ts';
import type { Slabs } from './slabs.ts';
import type { Transport } from './transport.ts';

/** At most this much is handed to the connection and not yet taken by the system: what a heartbeat may have to wait for. */
const HANDED_LIMIT_BYTES = 128 * 1024;
/** Control frames waiting; more means that the peer makes us answer and does not read. */
const CONTROL_LIMIT = 8_192;
/** How often a busy writer looks at its deadlines. */
const CHECK_EVERY_MS = 1_000;

export interface WriteDeadlines {
  readonly controlWriteMs: number;
  readonly dataWriteMs: number;
}

export interface WriterOptions {
  readonly transport: Transport;
  readonly slabs: Slabs;
  readonly clock: Timer;
  readonly deadlines: () => WriteDeadlines;
  /** The session is dead: writes do not move, or control frames pile up. */
  readonly onDead: (error: ProtocolError) => void;
}

/**
 * The one writer of a session. Control frames first, then the lanes; what is ready in one event-loop turn is packed
 * into messages of about 64 KiB; little is handed to the connection at a time.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #lanes = new Lanes<Outbox>();
  readonly #speed = new LinkSpeed();
  readonly #control: EncodedFrame[] = [];
  readonly #credits = new Map<number, number>();
  readonly #allocate: (bytes: number) => Buffer;
  #slots: Slots | undefined;
  #handedBytes = 0;
  #isScheduled = false;
  #isClosed = false;
  #controlSinceMs: number | undefined;
  #handedSinceMs: number | undefined;
  #cancelCheck: (() => void) | undefined;
  #starvedMs = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#allocate = (bytes) => options.slabs.take(bytes);
  }

  /** Frames and bytes that wait, for the counters. */
  get waiting(): { control: number; handedBytes: number } {
    return { control: this.#control.length + this.#credits.size, handedBytes: this.#handedBytes };
  }

  /** How long streams had bytes and no credit, summed over streams: noted when credit comes, and when a stream ends. */
  get starvedMs(): number {
    return this.#starvedMs;
  }

  /** How fast the link carries what is sent; undefined: not measured, or too long ago. */
  get bytesPerSecond(): number | undefined {
    return this.#speed.bytesPerSecond(this.#options.clock.nowMs());
  }

  /** Queues a frame ahead of all streams. */
  control(frame: EncodedFrame): void {
    if (this.#isClosed) return;
    if (this.#control.length >= CONTROL_LIMIT) {
      // Makes room for the last words: their GOAWAY comes through here as well.
      this.#control.length = 0;
      this.#options.onDead(new ProtocolError(`${CONTROL_LIMIT} control frames wait for the peer`, ErrorCode.Abuse));
      return;
    }
    this.#control.push(frame);
    this.#scheduleControl();
  }

  /** Credit for one stream; several grants before the next write become one WINDOW. */
  credit(streamId: number, bytes: number): void {
    if (this.#isClosed) return;
    this.#credits.set(streamId, Math.min(MAX_WINDOW_BYTES, (this.#credits.get(streamId) ?? 0) + bytes));
    this.#scheduleControl();
  }

  slots({ ordinary, longRunning }: Slots): void {
    if (this.#isClosed) return;
    const waiting = this.#slots ?? { ordinary: 0, longRunning: 0 };
    this.#slots = { ordinary: waiting.ordinary + ordinary, longRunning: waiting.longRunning + longRunning };
    this.#scheduleControl();
  }

  /** Notes that a stream may have something to send. */
  wake(outbox: Outbox): void {
    const nowMs = this.#options.clock.nowMs();
    // What is left over lacks credit since the last frame; what was pushed into an empty outbox does since now.
    if (outbox.isStarved && !outbox.isLeftOver) outbox.starvedSinceMs ??= nowMs;
    this.#lanes.wake(outbox, nowMs);
    this.#schedule();
  }

  /** The peer gave a stream credit. False: more than a window can hold. */
  credited(outbox: Outbox, bytes: number): boolean {
    const nowMs = this.#options.clock.nowMs();
    const { creditedMs } = outbox;
    if (creditedMs !== undefined && outbox.queuedBytes > 0) this.#speed.credited(bytes, creditedMs, nowMs);
    outbox.creditedMs = nowMs;
    this.#noteStarved(outbox, nowMs);
    if (!outbox.window.grant(bytes)) return false;
    this.wake(outbox);
    return true;
  }

  /** Forgets a stream that was reset or closed. */
  remove(streamId: number, outbox: Outbox): void {
    this.#credits.delete(streamId);
    this.#lanes.remove(outbox);
    this.#noteStarved(outbox, this.#options.clock.nowMs());
  }

  #noteStarved(outbox: Outbox, nowMs: number): void {
    if (!outbox.isStarved) return;
    this.#starvedMs += nowMs - (outbox.starvedSinceMs ?? outbox.place.lastSentMs);
    outbox.starvedSinceMs = undefined;
  }

  /**
   * Writes every control frame at once, however much is handed over already: the last words of a session, GOAWAY among them.
   * Streams stay silent, so that what was never written is known not to be executed.
   */
  lastWords(): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.nowMs();
    const next = () => this.#nextControl();
    for (let frames = gather(next); frames.length > 0; frames = gather(next)) this.#hand(frames, nowMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#control.length = 0;
    this.#credits.clear();
    this.#slots = undefined;
    this.#cancelCheck?.();
  }

  get #hasControl(): boolean {
    return this.#control.length > 0 || this.#credits.size > 0 || this.#slots !== undefined;
  }

  #scheduleControl(): void {
    this.#controlSinceMs ??= this.#options.clock.nowMs();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed || this.#handedBytes >= HANDED_LIMIT_BYTES) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  /** Hands over what is ready, control first, up to the limit. */
  #flush(): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.nowMs();
    const next = () => this.#nextControl() ?? this.#lanes.next(nowMs);
    while (this.#handedBytes < HANDED_LIMIT_BYTES) {
      const frames = gather(next);
      if (frames.length === 0) break;
      this.#hand(frames, nowMs);
      // Control goes first, so this message took some: what is left waits since now.
      this.#controlSinceMs = this.#hasControl ? nowMs : undefined;
    }
  }

  #nextControl(): EncodedFrame | undefined {
    const frame = this.#control.shift();
    if (frame !== undefined) return frame;
    const slots = this.#slots;
    if (slots !== undefined) {
      this.#slots = undefined;
      return encode({ type: FrameType.Slots, slots });
    }
    for (const [streamId, creditBytes] of this.#credits) {
      this.#credits.delete(streamId);
      return encode({ type: FrameType.Window, streamId, creditBytes });
    }
    return undefined;
  }

  #hand(frames: readonly EncodedFrame[], nowMs: number): void {
    const message = packMessage(frames, this.#allocate);
    this.#handedBytes += message.length;
    this.#handedSinceMs ??= nowMs;
    this.#cancelCheck ??= this.#armCheck();
    this.#options.transport.send(message, () => {
      this.#handedBytes -= message.length;
      this.#options.slabs.give(message);
      this.#handedSinceMs = this.#handedBytes === 0 ? undefined : this.#options.clock.nowMs();
      if (!this.#isClosed) this.#schedule();
    });
  }

  #armCheck(): () => void {
    return this.#options.clock.after(CHECK_EVERY_MS, () => {
      this.#cancelCheck = undefined;
      if (this.#isClosed || this.#handedSinceMs === undefined) return;
      const nowMs = this.#options.clock.nowMs();
      const { controlWriteMs, dataWriteMs } = this.#options.deadlines();
      const controlMs = this.#controlSinceMs === undefined ? 0 : nowMs - this.#controlSinceMs;
      const dataMs = nowMs - this.#handedSinceMs;
      if (controlMs > controlWriteMs || dataMs > dataWriteMs) {
        const stuck =
          controlMs > controlWriteMs ? `control frames waited ${controlMs} ms` : `a write waited ${dataMs} ms`;
        this.#options.onDead(new ProtocolError(stuck, ErrorCode.Silent));
        return;
      }
      this.#cancelCheck = this.#armCheck();
    });
  }
}

/** Frames of one message, as many as the packing limit lets in. */
function gather(next: () => EncodedFrame | undefined): EncodedFrame[] {
  const frames: EncodedFrame[] = [];
  let bytes = 0;
  while (bytes < MESSAGE_TARGET_BYTES) {
    const frame = next();
    if (frame === undefined) break;
    frames.push(frame);
    bytes += encodedBytes(frame);
  }
  return frames;
}
