import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { REQUEST_SECONDS } from '../process/request-seconds.ts';
import { ErrorCode, isKnownCode, nameOf } from '../tunnel/wire/codes.ts';
import type { ExchangeEnd } from '../upstream/exchange-options.ts';
import type { DeflatedBytes } from './deflation.ts';
import type { PoolName } from './session-slots.ts';

const PREFIX = 'clustertunnel_agent_';
/** Codes that tell of the API server, not of the client, the gateway or ourselves. */
const UPSTREAM_CODES: ReadonlySet<number> = new Set([
  ErrorCode.UpstreamUnreachable,
  ErrorCode.UpstreamReset,
  ErrorCode.UpstreamTimeout,
  ErrorCode.UpstreamProtocol,
]);

const NO_CLASS = classOf('none');
/** By the first digit of the status. */
const CLASSES = [NO_CLASS, ...['1xx', '2xx', '3xx', '4xx', '5xx'].map(classOf)];

/** With a label object that is made once. */
function classOf(statusClass: string) {
  return { statusClass, label: { status_class: statusClass } };
}

/** Read at each scrape. */
export interface AgentGauges {
  readonly sessions: number;
  readonly bufferedBytes: number;
  /** limits.maxBufferBytes as it is in force. */
  readonly bufferLimitBytes: number;
  readonly upstreamConnections: number;
  readonly running: Readonly<Record<PoolName, number>>;
  readonly queued: Readonly<Record<PoolName, number>>;
  readonly limit: Readonly<Record<PoolName, number>>;
}

/** Every number the agent publishes, under one prefix, with labels of few values only. */
export class AgentMetrics {
  readonly #registry: Registry;
  readonly #upstreamSeconds: Histogram<'status_class'>;
  readonly #exchanges: Counter<'outcome' | 'status_class'>;
  readonly #upstreamErrors: Counter<'code'>;
  readonly #dials: Counter<'result'>;
  readonly #plainBytes: Counter;
  readonly #deflatedBytes: Counter;
  #upstreamErrorCount = 0;

  constructor(gauges: () => AgentGauges & { readonly starvedMs: number }, registry = new Registry()) {
    this.#registry = registry;
    const registers = [registry];
    collectDefaultMetrics({ register: this.#registry, prefix: PREFIX });
    this.#exchanges = new Counter({
      name: `${PREFIX}exchanges_total`,
      help: 'Requests by outcome (OK or an error code) and class of the API server answer (2xx…, none).',
      labelNames: ['outcome', 'status_class'],
      registers,
    });
    this.#upstreamSeconds = new Histogram({
      name: `${PREFIX}upstream_request_duration_seconds`,
      help: 'From when a worker took a request to when nothing of it was left at the API server, by class of its answer; without long-running ones.',
      labelNames: ['status_class'],
      buckets: REQUEST_SECONDS,
      registers,
    });
    this.#upstreamErrors = new Counter({
      name: `${PREFIX}upstream_errors_total`,
      help: 'Requests that failed at the API server, by error code.',
      labelNames: ['code'],
      registers,
    });
    this.#dials = new Counter({
      name: `${PREFIX}dials_total`,
      help: 'Attempts to reach the gateway, by result: ready, failed, rejected or lost.',
      labelNames: ['result'],
      registers,
    });
    this.#plainBytes = new Counter({
      name: `${PREFIX}deflate_input_bytes_total`,
      help: 'Bytes of answers that went to the gateway deflated, as the API server sent them.',
      registers,
    });
    this.#deflatedBytes = new Counter({
      name: `${PREFIX}deflate_output_bytes_total`,
      help: 'What those answers had on the wire, in bytes.',
      registers,
    });
    addGauges(registry, gauges);
    addStarvation(registry, gauges);
  }

  /** Exchanges that failed at the API server since the start. */
  get upstreamErrors(): number {
    return this.#upstreamErrorCount;
  }

  /** `workedMs`: how long a worker had it, if it is not a long-running one. */
  exchangeEnded({ code, status }: Pick<ExchangeEnd, 'code' | 'status'>, workedMs: number | undefined): void {
    const outcome = code === ErrorCode.None ? 'OK' : isKnownCode(code) ? nameOf(code) : 'other';
    const { label, statusClass } = CLASSES[Math.floor((status ?? 0) / 100)] ?? NO_CLASS;
    this.#exchanges.inc({ outcome, status_class: statusClass });
    if (workedMs !== undefined) this.#upstreamSeconds.observe(label, workedMs / 1_000);
    if (!UPSTREAM_CODES.has(code)) return;
    this.#upstreamErrorCount += 1;
    this.#upstreamErrors.inc({ code: nameOf(code) });
  }

  dialed(result: 'ready' | 'failed' | 'rejected' | 'lost'): void {
    this.#dials.inc({ result });
  }

  deflated({ plain, deflated }: DeflatedBytes): void {
    this.#plainBytes.inc(plain);
    this.#deflatedBytes.inc(deflated);
  }

  /** Prometheus text format. */
  async render(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  /** Stops what collects in the background. */
  close(): void {
    this.#registry.clear();
  }
}

/** How long bytes for gateways waited for credit. */
function addStarvation(registry: Registry, read: () => { readonly starvedMs: number }): void {
  const seconds: Counter = new Counter({
    name: `${PREFIX}stream_no_credit_seconds_total`,
    help: 'Seconds in which streams had bytes of an answer and no credit, summed over streams; noted when credit comes or the stream ends.',
    registers: [registry],
    collect: () => {
      seconds.reset();
      seconds.inc(read().starvedMs / 1_000);
    },
  });
}

function addGauges(registry: Registry, gauges: () => AgentGauges): void {
  const single = (name: string, help: string, read: (from: AgentGauges) => number) =>
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read(gauges()));
      },
    });
  const byPool = (name: string, help: string, read: (from: AgentGauges) => Readonly<Record<PoolName, number>>) =>
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames: ['pool'],
      registers: [registry],
      collect() {
        for (const [pool, value] of Object.entries(read(gauges()))) this.set({ pool }, value);
      },
    });
  single('sessions', 'Open sessions with gateways.', (from) => from.sessions);
  single('buffered_bytes', 'Bytes reserved for streams and their windows.', (from) => from.bufferedBytes);
  single(
    'buffer_limit_bytes',
    'Bytes that may be reserved: spec.limits.maxBufferBytes.',
    (from) => from.bufferLimitBytes,
  );
  single(
    'upstream_connections',
    'Open connections to the API server, idle ones included.',
    (from) => from.upstreamConnections,
  );
  byPool('workers_busy', 'Requests at the API server now.', (from) => from.running);
  byPool('workers_queued', "Requests in the agent's own queue.", (from) => from.queued);
  byPool('workers_limit', 'Requests that may be at the API server at once.', (from) => from.limit);
}
