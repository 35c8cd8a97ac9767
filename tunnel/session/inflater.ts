import { createInflateRaw, type InflateRaw, type ZlibOptions } from 'node:zlib';
import type { Budget } from '../flow/budget.ts';

/** Inflated bytes that wait for the client, at most. Source: PROTOCOL.md 4.19. */
export const MAX_AHEAD_BYTES = 64 * 1024;
/** zlib makes this much at a time. */
const CHUNK_BYTES = 16 * 1024;
/** zlib goes on below this: it may make one chunk that is heard of, and one more that it keeps until it is asked. */
const PAUSE_BYTES = MAX_AHEAD_BYTES - 2 * CHUNK_BYTES;
/** Wire bytes that zlib is given at a time: their credit goes back together, when all that they hold was taken. */
const PIECE_BYTES = 4 * 1024;
/** Of one inflater: what waits, and zlib's window and tables (measured: 48 KiB beyond its output). */
export const INFLATER_BYTES = MAX_AHEAD_BYTES + 48 * 1024;

/** At a high-water mark of 1 zlib makes no second chunk while one waits. Its types do not know that it is a Transform. */
const ZLIB_OPTIONS = { chunkSize: CHUNK_BYTES, readableHighWaterMark: 1 } as ZlibOptions;

/** What the owner of an inflater hears. Nothing is called after `close`. */
export interface InflaterEvents {
  /** Inflated bytes; the owner says `taken` when they are gone. */
  onData(chunk: Uint8Array): void;
  /** All that these wire bytes held was taken. */
  onSettled(wireBytes: number): void;
  /** The DEFLATE stream ended where the wire bytes did, and all of it was handed to onData. */
  onEnd(): void;
  /** It did not; why, in a sentence. Nothing follows. */
  onError(detail: string): void;
}

/**
 * One raw DEFLATE stream on its way back to what it was, never further than MAX_AHEAD_BYTES before its reader, however
 * small its wire bytes are. Compressed bytes wait here; their sender's credit bounds them.
 */
export class Inflater {
  readonly #budget: Budget;
  readonly #events: InflaterEvents;
  readonly #zlib: InflateRaw;
  readonly #waiting: Uint8Array[] = [];
  /** Pieces of which not everything was taken: how many bytes must have been, and the wire bytes of the piece. */
  readonly #unsettled: { readonly atBytes: number; readonly wireBytes: number }[] = [];
  #madeBytes = 0;
  #takenBytes = 0;
  #isBusy = false;
  /** The wire bytes are complete; then zlib was told so. */
  #isLast = false;
  #isToldLast = false;
  #isEnded = false;
  #isClosed = false;

  /** undefined: there is no memory for it. */
  static open(budget: Budget, events: InflaterEvents): Inflater | undefined {
    return budget.take(INFLATER_BYTES) ? new Inflater(budget, events) : undefined;
  }

  private constructor(budget: Budget, events: InflaterEvents) {
    this.#budget = budget;
    this.#events = events;
    const zlib = createInflateRaw(ZLIB_OPTIONS);
    zlib.on('data', (chunk: Buffer) => this.#made(chunk));
    zlib.once('end', () => this.#zlibEnded());
    zlib.on('error', (error) => this.#fail(`it does not inflate: ${error.message}`));
    this.#zlib = zlib;
  }

  /** Whether something of the body was not yet handed to onData. */
  get isRunning(): boolean {
    return !this.#isEnded && !this.#isClosed;
  }

  /** What the reader took so far, inflated. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Wire bytes, which must not change afterwards. */
  push(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    this.#waiting.push(chunk);
    this.#feed();
  }

  /** No more wire bytes will come. */
  end(): void {
    this.#isLast = true;
    this.#feed();
  }

  /** The reader took `bytes` of what onData brought. */
  taken(bytes: number): void {
    if (this.#isClosed) return;
    this.#takenBytes += bytes;
    this.#settle();
    if (this.#aheadBytes <= PAUSE_BYTES && this.#zlib.isPaused()) this.#zlib.resume();
  }

  /** Drops everything. Safe to call again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting.length = 0;
    this.#unsettled.length = 0;
    this.#zlib.destroy();
    this.#budget.shrink(INFLATER_BYTES);
  }

  get #aheadBytes(): number {
    return this.#madeBytes - this.#takenBytes;
  }

  /** Gives zlib the next piece, when it is done with the last one. */
  #feed(): void {
    if (this.#isBusy || this.#isToldLast || this.#isClosed) return;
    const piece = this.#nextPiece();
    if (piece !== undefined) {
      this.#isBusy = true;
      this.#zlib.write(piece, () => this.#fed(piece.length));
    } else if (this.#isLast) {
      this.#isToldLast = true;
      this.#zlib.end();
    }
  }

  /** Part of a chunk, or several small ones together. */
  #nextPiece(): Uint8Array | undefined {
    const parts: Uint8Array[] = [];
    let leftBytes = PIECE_BYTES;
    for (let first = this.#waiting[0]; first !== undefined && leftBytes > 0; first = this.#waiting[0]) {
      const part = first.subarray(0, leftBytes);
      parts.push(part);
      leftBytes -= part.length;
      if (part.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(part.length);
    }
    return parts.length > 1 ? Buffer.concat(parts) : parts[0];
  }

  /** zlib made all it could of a piece; some of it may still wait inside. */
  #fed(wireBytes: number): void {
    if (this.#isClosed) return;
    this.#isBusy = false;
    this.#unsettled.push({ atBytes: this.#madeBytes + this.#zlib.readableLength, wireBytes });
    this.#settle();
    this.#feed();
  }

  #made(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.#madeBytes += chunk.length;
    this.#events.onData(chunk);
    if (this.#aheadBytes > PAUSE_BYTES) this.#zlib.pause();
  }

  #settle(): void {
    let wireBytes = 0;
    for (let first = this.#unsettled[0]; first !== undefined && first.atBytes <= this.#takenBytes; ) {
      wireBytes += first.wireBytes;
      this.#unsettled.shift();
      first = this.#unsettled[0];
    }
    if (wireBytes > 0) this.#events.onSettled(wireBytes);
    if (this.#isEnded && this.#aheadBytes === 0) this.close();
  }

  /** zlib ends at the end of the DEFLATE stream, whatever it was given behind it. */
  #zlibEnded(): void {
    if (this.#isClosed) return;
    if (!this.#isToldLast) return this.#fail('bytes follow its end');
    this.#isEnded = true;
    this.#events.onEnd();
    this.#settle();
  }

  #fail(detail: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.onError(detail);
  }
}
