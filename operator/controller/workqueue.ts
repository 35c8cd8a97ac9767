import { ceilingMs } from '../../process/backoff.ts';
import type { Clock } from '../../process/clock.ts';

/** Source: client-go's default controller rate limiter, with a shorter longest delay. */
const MIN_BACKOFF_MS = 5;
const MAX_BACKOFF_MS = 60_000;

/** Hooks for metrics; all optional. */
export interface WorkqueueObserver {
  added?(depth: number): void;
  /** `waitedMs` from the add to the take. */
  taken?(depth: number, waitedMs: number): void;
  finished?(workedMs: number): void;
  retried?(): void;
}

/**
 * Names that wait to be reconciled.
 *
 * Invariants: a name waits at most once; a name is in the hands of at most one worker; a name added while it is worked
 * on comes again afterwards. So the queue never holds more entries than there are names.
 * Source: client-go util/workqueue.
 */
export class Workqueue {
  readonly #clock: Clock;
  readonly #observer: WorkqueueObserver;
  readonly #ready: string[] = [];
  /** Names that must be worked on, with the time of the add: waiting, or added again while in work. */
  readonly #dirty = new Map<string, number>();
  readonly #working = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { readonly dueMs: number; readonly cancel: () => void }>();
  readonly #takers = new Set<() => void>();

  constructor(clock: Clock, observer: WorkqueueObserver = {}) {
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Names waiting now, without delayed ones. */
  get depth(): number {
    return this.#ready.length;
  }

  /** As soon as a worker is free. */
  add(name: string): void {
    if (this.#dirty.has(name)) return;
    this.#dirty.set(name, this.#clock.nowMs());
    this.#observer.added?.(this.#ready.length + 1);
    if (!this.#working.has(name)) this.#offer(name);
  }

  /** After `delayMs`; an earlier appointment of the same name stands. */
  addAfter(name: string, delayMs: number): void {
    const dueMs = this.#clock.nowMs() + delayMs;
    const known = this.#delayed.get(name);
    if (known !== undefined && known.dueMs <= dueMs) return;
    known?.cancel();
    const cancel = this.#clock.after(delayMs, () => {
      this.#delayed.delete(name);
      this.add(name);
    });
    this.#delayed.set(name, { dueMs, cancel });
  }

  /** After a failure: later each time, until forget(), but at most `maxBackoffMs`. */
  addRateLimited(name: string, maxBackoffMs = MAX_BACKOFF_MS): void {
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    this.#observer.retried?.();
    this.addAfter(name, ceilingMs(failures, MIN_BACKOFF_MS, maxBackoffMs));
  }

  /** Whether the name failed and was not well since. */
  isFailing(name: string): boolean {
    return this.#failures.has(name);
  }

  /** The name is well again, or gone. */
  forget(name: string): void {
    this.#failures.delete(name);
  }

  /** The next name, as soon as there is one; undefined when the signal aborts. Call done() with it. */
  async take(signal: AbortSignal): Promise<string | undefined> {
    while (!signal.aborted) {
      const name = this.#ready.shift();
      if (name !== undefined) return this.#begin(name);
      await this.#somethingReady(signal);
    }
    return undefined;
  }

  /** The worker has finished with the name. */
  done(name: string): void {
    const beganMs = this.#working.get(name);
    if (beganMs === undefined) throw new RangeError(`${name} was not taken`);
    this.#working.delete(name);
    this.#observer.finished?.(this.#clock.nowMs() - beganMs);
    if (this.#dirty.has(name)) this.#offer(name);
  }

  /** Cancels all appointments. */
  close(): void {
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
  }

  #begin(name: string): string {
    const nowMs = this.#clock.nowMs();
    this.#observer.taken?.(this.#ready.length, nowMs - (this.#dirty.get(name) ?? nowMs));
    this.#dirty.delete(name);
    this.#working.set(name, nowMs);
    return name;
  }

  #offer(name: string): void {
    this.#ready.push(name);
    const [wake] = this.#takers;
    wake?.();
  }

  #somethingReady(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#takers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#takers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
