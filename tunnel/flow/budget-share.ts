import { INITIAL_WINDOW_BYTES } from '../wire/limits.ts';
import { Budget } from './budget.ts';

/** Alone it gets four fifths of what is not kept for small ones. */
const TIMES_WHAT_IS_FREE = 4;
/** Of the whole, for tunnels that hold no more than a few streams. */
const KEPT_SHARE = 1 / 8;
const FEW_BYTES = 4 * INITIAL_WINDOW_BYTES;

/**
 * One tunnel's part of the bytes of a process: at most four times what it leaves free, of admissions and of growth, so that
 * greedy ones come to hold the same while their streams come and go, and nobody has to know the others. Source: Choudhury and
 * Hahne, "Dynamic queue length thresholds for shared-memory packet switches" (1998). Streams that stay may leave nothing
 * free: an eighth of the whole is for the first few of each tunnel.
 */
export class BudgetShare extends Budget {
  readonly #whole: Budget;

  constructor(whole: Budget) {
    // What it holds is counted here; how much that may be is asked below.
    super(Number.POSITIVE_INFINITY);
    this.#whole = whole;
  }

  override get limitBytes(): number {
    return this.#whole.limitBytes;
  }

  override get sendBytesPerStream(): number {
    return this.#whole.sendBytesPerStream;
  }

  override get hasReserve(): boolean {
    return this.#mayHold(INITIAL_WINDOW_BYTES) && this.#whole.hasReserve;
  }

  override reserve(): boolean {
    return this.#mayHold(INITIAL_WINDOW_BYTES) && this.#whole.reserve() && super.reserve();
  }

  override release(grownBytes: number): void {
    super.release(grownBytes);
    this.#whole.release(grownBytes);
  }

  override take(bytes: number): boolean {
    return this.#mayHold(bytes) && this.#whole.take(bytes) && super.take(bytes);
  }

  override shrink(bytes: number): void {
    super.shrink(bytes);
    this.#whole.shrink(bytes);
  }

  override grow(wantedBytes: number): number {
    const ofGrowth = fairGrowth(this.grownBytes, this.#whole.growthLeftBytes);
    const most = Math.min(fairGrowth(this.usedBytes, this.#freeBytes()), ofGrowth);
    return super.grow(this.#whole.grow(Math.max(0, Math.min(wantedBytes, Math.floor(most)))));
  }

  #mayHold(moreBytes: number): boolean {
    const isSmall = this.usedBytes + moreBytes <= FEW_BYTES;
    return isSmall || moreBytes <= fairGrowth(this.usedBytes, this.#freeBytes());
  }

  /** Below zero when only what is kept is left. */
  #freeBytes(): number {
    const { limitBytes, usedBytes } = this.#whole;
    return limitBytes * (1 - KEPT_SHARE) - usedBytes;
  }
}

/** How much more one may hold who holds `ownBytes`, so that it is no more than four times what is free then. */
function fairGrowth(ownBytes: number, freeBytes: number): number {
  return (TIMES_WHAT_IS_FREE * freeBytes - ownBytes) / (1 + TIMES_WHAT_IS_FREE);
}
