import { INITIAL_WINDOW_BYTES } from '../wire/limits.ts';
import type { Budget } from './budget.ts';

/** Credit goes back once this share of the window was consumed. Source: quic-go, WindowUpdateThreshold. */
const REFRESH_SHARE = 0.25;
/** A window of which half lasts longer than this, and than many round trips, is larger than its reader needs. */
const IDLE_MS = 1_000;
const IDLE_ROUND_TRIPS = 16;
/** Up to this size a window grows as fast as it is used up. */
const QUICK_BYTES = 256 * 1024;
/** Beyond, the pace must last: socket buffers swallow megabytes at once, however slow the reader behind them is. */
const SUSTAINED_MS = 50;
/** A round trip shorter than the two event loops that serve it says nothing about what is under way. */
const SHORTEST_RTT_MS = 2;

/** What deciding about growth takes; read at each grant, never kept. */
export interface GrowthFacts {
  readonly nowMs: number;
  /** Smallest round trip seen: queues of our own making must not grow windows. */
  readonly minRttMs: number;
  /** limits.maxStreamBufferBytes as it is now. */
  readonly maxBytes: number;
}

/**
 * Credit we gave the peer for one stream.
 *
 * Invariant: advertised + buffered + unsent === size, where buffered is what arrived and was not consumed.
 * So the peer can never make us hold more than `sizeBytes`.
 */
export class ReceiveWindow {
  readonly #budget: Budget;
  #sizeBytes = INITIAL_WINDOW_BYTES;
  /** Bytes the peer may still send. */
  #advertisedBytes = INITIAL_WINDOW_BYTES;
  /** Bytes consumed here and not yet granted back. */
  #unsentBytes = 0;
  #epochStartMs: number;
  #epochBytes = 0;
  #isReleased = false;

  /** The stream's reserve was taken from `budget` by whoever admitted it; this object gives it back. */
  constructor(budget: Budget, nowMs: number) {
    this.#budget = budget;
    this.#epochStartMs = nowMs;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Bytes that arrived and wait for the consumer. */
  get bufferedBytes(): number {
    return this.#sizeBytes - this.#advertisedBytes - this.#unsentBytes;
  }

  /** Charges arriving DATA. False: the peer overran its credit. */
  accept(bytes: number): boolean {
    if (bytes > this.#advertisedBytes) return false;
    this.#advertisedBytes -= bytes;
    return true;
  }

  /** Notes that the consumer took `bytes`. Returns the credit to send now; 0 is not yet. */
  consume(bytes: number, facts: GrowthFacts): number {
    if (bytes > this.bufferedBytes) throw new RangeError(`consumed ${bytes} bytes of ${this.bufferedBytes}`);
    this.#unsentBytes += bytes;
    this.#epochBytes += bytes;
    if (this.#unsentBytes < this.#sizeBytes * REFRESH_SHARE) return 0;
    const creditBytes = this.#unsentBytes + this.#resize(facts);
    this.#advertisedBytes += creditBytes;
    this.#unsentBytes = 0;
    return creditBytes;
  }

  /** Gives reserve and growth back to the budget. Safe to call again. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#budget.release(this.#sizeBytes - INITIAL_WINDOW_BYTES);
  }

  /**
   * Doubles the window when a share of it was consumed faster than four such shares of a round trip: then the window, not the
   * consumer, was the limit (source: quic-go, maybeAdjustWindowSize). A reader that is slow or was idle gives growth back, out of
   * the credit that it would return now: credit once given cannot be taken away. Returns what to add to that credit.
   */
  #resize({ nowMs, minRttMs, maxBytes }: GrowthFacts): number {
    const share = this.#epochBytes / this.#sizeBytes;
    const tookMs = nowMs - this.#epochStartMs;
    const rttMs = Math.max(minRttMs, SHORTEST_RTT_MS);
    if (this.#isReleased) return 0;
    if (tookMs > Math.max(IDLE_MS, IDLE_ROUND_TRIPS * rttMs)) return this.#shrink(nowMs);
    if (share < 0.5 || (this.#sizeBytes >= QUICK_BYTES && tookMs < SUSTAINED_MS)) return 0;
    this.#beginEpoch(nowMs);
    return tookMs < 4 * share * rttMs ? this.#grow(maxBytes) : 0;
  }

  #shrink(nowMs: number): number {
    this.#beginEpoch(nowMs);
    const bytes = Math.min(this.#unsentBytes, this.#sizeBytes - INITIAL_WINDOW_BYTES);
    this.#sizeBytes -= bytes;
    this.#budget.shrink(bytes);
    return -bytes;
  }

  #beginEpoch(nowMs: number): void {
    this.#epochStartMs = nowMs;
    this.#epochBytes = 0;
  }

  #grow(maxBytes: number): number {
    const grownBytes = this.#budget.grow(Math.max(0, Math.min(this.#sizeBytes, maxBytes - this.#sizeBytes)));
    this.#sizeBytes += grownBytes;
    return grownBytes;
  }
}
