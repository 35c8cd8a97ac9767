import { ceilingMs } from '../../process/backoff.ts';
import { type Clock, pause } from '../../process/clock.ts';
import { describeError } from '../../process/redact.ts';
import { ApiError, UnreachableError } from './errors.ts';
import type { Call, Transport } from './transport.ts';

export interface ReachabilityOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** 0 <= random() < 1. */
  readonly random: () => number;
  /** The API server fell silent, and why; undefined: it answers again. */
  readonly onChange: (silence: string | undefined) => void;
}

const MIN_PROBE_DELAY_MS = 1_000;
/** Somebody who mended the way there looks at the tunnel within seconds. */
const MAX_PROBE_DELAY_MS = 10_000;
/** Who answered for so long starts the next silence with the shortest delay. */
const STEADY_MS = 60_000;
/** Every API server answers it, and be it with 403. */
const PROBE: Call = { method: 'GET', path: '/version' };

interface Silence {
  /** As the last failure had it. */
  why: string;
  readonly over: Promise<void>;
  readonly end: () => void;
}

/**
 * A transport that remembers whether its API server answers, so that a dead one costs nobody a timeout twice.
 *
 *   answering ──no answer──► silent ──a probe was answered──► answering
 *
 * While it is silent one probe at a time asks, at growing intervals of at most 10 s; `calls` fail at once, `watches` wait.
 * Any answer counts, refusals too.
 */
export class Reachability {
  /** For those who have something else to do: fails at once while the API server is silent. */
  readonly calls: Transport;
  /** For those who must come through some day: waits until the API server answers, or the signal aborts. */
  readonly watches: Transport;
  readonly #options: ReachabilityOptions;
  readonly #closed = new AbortController();
  #silence: Silence | undefined;
  #probing: Promise<void> = Promise.resolve();
  #attempts = 0;
  #answeringSinceMs: number;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
    this.#answeringSinceMs = options.clock.nowMs();
    this.calls = this.#guarded(async () => {
      if (this.#silence !== undefined) throw this.#unreachable(this.#silence.why);
    });
    this.watches = this.#guarded(async (signal) => {
      if (this.#silence !== undefined) await unlessAborted(this.#silence.over, signal);
    });
  }

  /** Why the API server does not answer; undefined while it does, as far as we know. */
  get silence(): string | undefined {
    return this.#silence?.why;
  }

  /** Ends every call and every connection now: they throw `reason`. */
  async close(reason: Error): Promise<void> {
    this.#closed.abort(reason);
    await Promise.all([this.#options.transport.close(), this.#probing]);
  }

  #guarded(admit: (signal: AbortSignal) => Promise<void>): Transport {
    const { transport } = this.#options;
    const through = async <T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
      const either = AbortSignal.any([signal, this.#closed.signal]);
      either.throwIfAborted();
      await admit(either);
      return this.#observed(either, run);
    };
    return {
      server: transport.server,
      call: (call, signal) => through(signal, (either) => transport.call(call, either)),
      stream: (call, signal) => through(signal, (either) => transport.stream(call, either)),
      close: () => this.close(new Error('the client is closed')),
    };
  }

  async #observed<T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      const result = await run(signal);
      this.#answered();
      return result;
    } catch (error) {
      if (error instanceof ApiError) this.#answered();
      if (error instanceof UnreachableError && !signal.aborted) this.#fellSilent(error);
      throw error;
    }
  }

  #answered(): void {
    const { clock, onChange } = this.#options;
    if (this.#silence === undefined) return;
    this.#silence.end();
    this.#silence = undefined;
    this.#answeringSinceMs = clock.nowMs();
    onChange(undefined);
  }

  #fellSilent(error: UnreachableError): void {
    const { clock, onChange } = this.#options;
    const why = describeError(error.cause ?? error);
    if (this.#silence !== undefined) {
      this.#silence.why = why;
      return;
    }
    if (clock.nowMs() - this.#answeringSinceMs >= STEADY_MS) this.#attempts = 0;
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#silence = { why, over, end };
    this.#probing = this.#probe(this.#silence);
    onChange(why);
  }

  /** Asks until somebody was answered, or until close(). Never rejects. */
  async #probe(silence: Silence): Promise<void> {
    const { transport, clock, random } = this.#options;
    const { signal } = this.#closed;
    while (this.#silence === silence && !signal.aborted) {
      this.#attempts++;
      const ceiling = ceilingMs(this.#attempts, MIN_PROBE_DELAY_MS, MAX_PROBE_DELAY_MS);
      // Both reject when closed, which the loop's condition sees; a failed probe was noted by #observed.
      await pause(clock, ceiling * (0.5 + random() / 2), signal).catch(() => {});
      if (this.#silence !== silence || signal.aborted) return;
      await this.#observed(signal, (either) => transport.call(PROBE, either)).catch(() => {});
    }
  }

  #unreachable(why: string): UnreachableError {
    return new UnreachableError(`${this.#options.transport.server} does not answer`, { cause: new Error(why) });
  }
}

/** Rejects with the signal's reason when it aborts first. Keeps no listener behind. */
function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    if (signal.aborted) abort();
  });
}
