import { headerOf } from '../../../tunnel/request-headers.ts';
import type { RawHeaders, ResponseHead } from '../../../tunnel/wire/head.ts';
import { type Kept, OVERHEAD_BYTES, weightOf } from './kept.ts';

/** Where the bytes that are being collected are counted. */
export interface Room {
  /** False: there is none. */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
}

/** Copies one answer while it passes, as long as there is room. */
export class Collector {
  readonly #headers: RawHeaders;
  readonly #atMs: number;
  readonly #room: Room;
  readonly #mostBytes: number;
  #chunks: Uint8Array[] = [];
  #bodyBytes = 0;
  #reservedBytes = 0;
  #isOver = false;

  /** `mostBytes`: the largest answer that is collected, everything counted. */
  constructor({ headers }: ResponseHead, atMs: number, mostBytes: number, room: Room) {
    this.#headers = headers;
    this.#atMs = atMs;
    this.#mostBytes = mostBytes;
    this.#room = room;
    this.#reserve(weightOf({ headers, chunks: [] }));
  }

  /** Given up, or complete. */
  get isOver(): boolean {
    return this.#isOver;
  }

  add(chunk: Uint8Array): void {
    if (this.#isOver || !this.#reserve(chunk.length + OVERHEAD_BYTES)) return;
    // A copy: the chunk is a view that would hold its whole message.
    this.#chunks.push(Uint8Array.from(chunk));
    this.#bodyBytes += chunk.length;
  }

  /** The answer; undefined when it was given up, or is not whole. */
  end(trailers: RawHeaders): Kept | undefined {
    const length = headerOf(this.#headers, 'content-length');
    const isWhole = trailers.length === 0 && (length === undefined || Number(length) === this.#bodyBytes);
    const kept = { headers: this.#headers, chunks: this.#chunks, atMs: this.#atMs };
    const isKept = !this.#isOver && isWhole;
    this.drop();
    return isKept ? kept : undefined;
  }

  drop(): void {
    if (this.#reservedBytes > 0) this.#room.release(this.#reservedBytes);
    this.#reservedBytes = 0;
    this.#chunks = [];
    this.#isOver = true;
  }

  #reserve(bytes: number): boolean {
    if (this.#reservedBytes + bytes <= this.#mostBytes && this.#room.reserve(bytes)) {
      this.#reservedBytes += bytes;
      return true;
    }
    this.drop();
    return false;
  }
}
