/**
 * Receive windows and their budget, slow and obvious: everything is kept, and added up again whenever it is asked for.
 * It shares nothing with tunnel/flow, so that the two can disagree.
 */
const RESERVE = 16 * 1024;

interface Taken {
  readonly atMs: number;
  readonly bytes: number;
}

export interface NaiveFacts {
  readonly nowMs: number;
  readonly minRttMs: number;
  readonly maxBytes: number;
}

export class NaiveBudget {
  limitBytes: number;
  readonly windows: NaiveWindow[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#held.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** A new window; undefined: no reserve is left. */
  open(nowMs: number): NaiveWindow | undefined {
    if (this.usedBytes + RESERVE > this.limitBytes) return undefined;
    const window = new NaiveWindow(this, nowMs);
    this.windows.push(window);
    return window;
  }

  /** What may still grow: three quarters of the limit are for growth, and reserves are never taken for it. */
  get growthLeftBytes(): number {
    const grown = this.#held.reduce((sum, { sizeBytes }) => sum + sizeBytes - RESERVE, 0);
    return Math.max(0, Math.floor(Math.min(this.limitBytes * 0.75 - grown, this.limitBytes - this.usedBytes)));
  }

  get #held(): NaiveWindow[] {
    return this.windows.filter(({ isReleased }) => !isReleased);
  }
}

export class NaiveWindow {
  readonly #budget: NaiveBudget;
  readonly #arrivals: number[] = [];
  readonly #takes: Taken[] = [];
  readonly #grants: number[] = [];
  readonly #resizes: number[] = [];
  /** When the share of the window was last looked at, and how many takes there were then. */
  #epoch: { readonly startMs: number; readonly takes: number };
  /** Takes that are settled: given back, or kept by a window that shrank. */
  #settledTakes = 0;
  isReleased = false;

  constructor(budget: NaiveBudget, nowMs: number) {
    this.#budget = budget;
    this.#epoch = { startMs: nowMs, takes: 0 };
  }

  get sizeBytes(): number {
    return RESERVE + sum(this.#resizes);
  }

  get bufferedBytes(): number {
    return sum(this.#arrivals) - sum(this.#takes.map(({ bytes }) => bytes));
  }

  /** What the peer may send: the first credit and all grants, less what came. */
  get creditBytes(): number {
    return RESERVE + sum(this.#grants) - sum(this.#arrivals);
  }

  accept(bytes: number): void {
    this.#arrivals.push(bytes);
  }

  /** The credit to give back now. */
  take(bytes: number, facts: NaiveFacts): number {
    this.#takes.push({ atMs: facts.nowMs, bytes });
    const owed = sum(this.#takes.slice(this.#settledTakes).map((each) => each.bytes));
    if (owed * 4 < this.sizeBytes) return 0;
    this.#settledTakes = this.#takes.length;
    const change = this.isReleased ? 0 : this.#change(owed, facts);
    this.#resizes.push(change);
    this.#grants.push(owed + change);
    return owed + change;
  }

  #change(owed: number, { nowMs, minRttMs, maxBytes }: NaiveFacts): number {
    const tookMs = nowMs - this.#epoch.startMs;
    const rttMs = Math.max(2, minRttMs);
    const share = sum(this.#takes.slice(this.#epoch.takes).map(({ bytes }) => bytes)) / this.sizeBytes;
    const isIdle = tookMs > 1_000 && tookMs > 16 * rttMs;
    const isTooSoon = share < 0.5 || (this.sizeBytes >= 256 * 1024 && tookMs < 50);
    if (!isIdle && isTooSoon) return 0;
    this.#epoch = { startMs: nowMs, takes: this.#takes.length };
    if (isIdle) return -Math.min(owed, this.sizeBytes - RESERVE);
    if (tookMs >= 4 * share * rttMs) return 0;
    const wanted = Math.min(2 * this.sizeBytes, Math.max(maxBytes, this.sizeBytes)) - this.sizeBytes;
    return Math.min(wanted, this.#budget.growthLeftBytes);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}
