import { createDeflateRaw, type DeflateRaw, type ZlibOptions } from 'node:zlib';
import type { Budget } from '../flow/budget.ts';
import { ErrorCode } from '../wire/codes.ts';
import type { RawHeaders } from '../wire/head.ts';
import type { Stream } from './stream.ts';

/** A source is asked to pause when this much waits for zlib. */
const HIGH_WATER_BYTES = 128 * 1024;
const CHUNK_BYTES = 32 * 1024;
/** Of one deflater: what waits on both sides of it, and zlib's window and tables (measured: 225 KiB). */
export const DEFLATER_BYTES = HIGH_WATER_BYTES + 2 * CHUNK_BYTES + 256 * 1024;

/**
 * A window that holds the object before, in tables half as large as usual, at the level beyond which speed halves.
 * Measured: docs/decisions/0006. Its types do not know that it is a Transform.
 */
const ZLIB_OPTIONS = {
  level: 3,
  windowBits: 15,
  memLevel: 6,
  chunkSize: CHUNK_BYTES,
  writableHighWaterMark: HIGH_WATER_BYTES,
} as ZlibOptions;

export interface DeflatedBodyOptions {
  readonly stream: Pick<Stream, 'write' | 'end' | 'reset'>;
  readonly budget: Budget;
  /** `write` may be called again after it returned false. */
  readonly onDrain: () => void;
  /** Once, last: how many bytes came, and how many went out instead of them. */
  readonly onClose: (bytes: { readonly plain: number; readonly deflated: number }) => void;
}

/** The body of an answer on its way into a stream, deflated. */
export class DeflatedBody {
  readonly #options: DeflatedBodyOptions;
  readonly #zlib: DeflateRaw;
  #trailers: RawHeaders = [];
  #plainBytes = 0;
  #deflatedBytes = 0;
  #isClosed = false;

  /** undefined: windows have no growth to spare for it. */
  static open(options: DeflatedBodyOptions): DeflatedBody | undefined {
    const grantedBytes = options.budget.grow(DEFLATER_BYTES);
    if (grantedBytes === DEFLATER_BYTES) return new DeflatedBody(options);
    options.budget.shrink(grantedBytes);
    return undefined;
  }

  private constructor(options: DeflatedBodyOptions) {
    this.#options = options;
    const zlib = createDeflateRaw(ZLIB_OPTIONS);
    zlib.on('data', (chunk: Buffer) => this.#made(chunk));
    zlib.on('drain', () => this.#drained());
    zlib.once('end', () => this.#ended());
    zlib.on('error', (error) => this.#failed(error));
    this.#zlib = zlib;
  }

  /** Whether everything that was written is in the stream. */
  get isDone(): boolean {
    return this.#isClosed;
  }

  /** Body bytes, which must not change afterwards. False: wait for onDrain before the next. */
  write(chunk: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.#plainBytes += chunk.length;
    return this.#zlib.write(chunk);
  }

  /** The body is complete: after what is left of it, the stream ends. */
  end(trailers: RawHeaders): void {
    if (this.#isClosed) return;
    this.#trailers = trailers;
    this.#zlib.end();
  }

  /** The stream has room again. */
  resume(): void {
    if (!this.#isClosed) this.#zlib.resume();
  }

  /** The stream is gone: nothing is written any more. Safe to call again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#zlib.destroy();
    this.#options.budget.shrink(DEFLATER_BYTES);
    this.#options.onClose({ plain: this.#plainBytes, deflated: this.#deflatedBytes });
  }

  #made(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.#deflatedBytes += chunk.length;
    if (!this.#options.stream.write(chunk)) this.#zlib.pause();
  }

  #drained(): void {
    if (!this.#isClosed) this.#options.onDrain();
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.close();
    this.#options.stream.end(this.#trailers);
  }

  #failed(error: Error): void {
    if (this.#isClosed) return;
    this.close();
    this.#options.stream.reset(ErrorCode.Internal, `the answer could not be deflated: ${error.message}`);
  }
}
