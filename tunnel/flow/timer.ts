/** The time that a session needs. process/clock.ts satisfies it; tests bring their own. */
export interface Timer {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels. */
  after(delayMs: number, run: () => void): () => void;
}
