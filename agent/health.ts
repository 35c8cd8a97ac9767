import { type HealthReport, MAX_HEALTH_TEXT, REPORT_EVERY_MS } from '../crds/health-report.ts';
import type { Clock } from '../process/clock.ts';
import type { Logger } from '../process/log.ts';
import type { ProbeResult } from './probe.ts';
import { OwnVitals } from './vitals.ts';

export interface HealthOptions {
  /** Asks the API server. Never rejects. */
  readonly probe: (signal: AbortSignal) => Promise<ProbeResult>;
  /** Monotonic: when the API server last answered a user well. Recent real success counts as a probe. */
  readonly lastAnswerMs: () => number | undefined;
  readonly intervalMs: () => number;
  readonly counts: () => Pick<HealthReport, 'inFlight' | 'queued' | 'upstreamErrors'>;
  /** To the ready session; nothing when there is none. */
  readonly send: (report: HealthReport) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Watches the way to the API server, and tells the gateway on change and once a minute. */
export class Health {
  readonly #options: HealthOptions;
  readonly #stopping = new AbortController();
  readonly #vitals = new OwnVitals();
  #result: ProbeResult | undefined;
  #isProbing = false;
  /** Monotonic: when the last look ended. The next one comes an interval later, however often the interval is told. */
  #lookedMs = 0;
  #cancelNext: () => void = () => {};
  #cancelRepeat: () => void = () => {};

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** The last finding; undefined before the first. */
  get result(): ProbeResult | undefined {
    return this.#result;
  }

  start(): void {
    this.#vitals.start();
    this.#look();
  }

  stop(): void {
    this.#stopping.abort(new Error('the agent stops'));
    this.#cancelNext();
    this.#cancelRepeat();
    this.#vitals.stop();
  }

  /** A session is ready: its gateway knows nothing yet. Said again once a minute, however seldom the API server is asked. */
  report(): void {
    const { send, clock } = this.#options;
    if (this.#result === undefined || this.#stopping.signal.aborted) return;
    this.#cancelRepeat();
    this.#cancelRepeat = clock.after(REPORT_EVERY_MS, () => this.report());
    send(this.#document(this.#result));
  }

  /** The interval may have changed: it counts from the last look. */
  reschedule(): void {
    if (!this.#isProbing && !this.#stopping.signal.aborted) this.#arm();
  }

  #next(): void {
    this.#lookedMs = this.#options.clock.nowMs();
    this.#arm();
  }

  #arm(): void {
    const { clock, intervalMs } = this.#options;
    this.#cancelNext();
    this.#cancelNext = clock.after(Math.max(0, this.#lookedMs + intervalMs() - clock.nowMs()), () => this.#look());
  }

  #look(): void {
    const known = this.#recent();
    if (known !== undefined) return this.#found(known);
    this.#isProbing = true;
    this.#options.probe(this.#stopping.signal).then(
      (result) => {
        this.#isProbing = false;
        this.#found(result);
      },
      (error: unknown) => {
        this.#isProbing = false;
        this.#options.log.error('probe failed', { error });
        this.#next();
      },
    );
  }

  /** What a user's request has shown within the last interval, if the version is known. */
  #recent(): ProbeResult | undefined {
    const { lastAnswerMs, intervalMs, clock } = this.#options;
    const answeredMs = lastAnswerMs();
    const isRecent = answeredMs !== undefined && clock.nowMs() - answeredMs < intervalMs();
    return isRecent && this.#result?.isHealthy === true ? this.#result : undefined;
  }

  #found(result: ProbeResult): void {
    if (this.#stopping.signal.aborted) return;
    const { log } = this.#options;
    const before = this.#result;
    this.#result = result;
    const isChanged =
      before === undefined || before.reason !== result.reason || before.kubernetesVersion !== result.kubernetesVersion;
    if (isChanged) {
      const { reason, message, kubernetesVersion } = result;
      log[result.isHealthy ? 'info' : 'warn']('API server probed', { reason, message, kubernetesVersion });
    }
    if (isChanged) this.report();
    this.#next();
  }

  #document({ isHealthy, reason, message, kubernetesVersion, latencyMs }: ProbeResult): HealthReport {
    return {
      k8sHealthy: isHealthy,
      reason,
      message: message.slice(0, MAX_HEALTH_TEXT),
      kubernetesVersion,
      latencyMs: Math.round(latencyMs),
      ...this.#vitals.look(),
      ...this.#options.counts(),
    };
  }
}
