import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { isKnownCode, nameOf } from '../../tunnel/wire/codes.ts';
import type { CircuitSample } from './admission/breaker.ts';
import type { CircuitState } from './admission/circuit-state.ts';
import type { CacheCounts } from './cache/cache.ts';
import type { GatewayCounts } from './counts.ts';
import type { FallbackSample } from './fallback/fallbacks.ts';
import { cutCounter, requestHistograms, waitHistogram } from './front/metrics.ts';
import type { Gateway } from './gateway.ts';
import { registerHealthMetrics } from './health/metrics.ts';
import type { GatewayMeter } from './meter.ts';
import { OTHER } from './request-labels.ts';

/** From a session that breaks at once to one that lives for a week. */
const SESSION_SECONDS = [1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800];

const GAUGES: Readonly<Record<keyof GatewayCounts, { name: string; help: string }>> = {
  sessions: { name: 'clustertunnel_sessions', help: 'Agent sessions at this gateway.' },
  greeting: { name: 'clustertunnel_sessions_greeting', help: 'Agent connections that have not greeted yet.' },
  requests: { name: 'clustertunnel_requests_in_flight', help: 'Client requests without a complete answer.' },
  waiting: { name: 'clustertunnel_requests_waiting', help: 'Client requests that wait for a free worker.' },
  unsettled: {
    name: 'clustertunnel_requests_unsettled',
    help: 'Writes whose session was lost, until their agent says whether it saw them.',
  },
  direct: {
    name: 'clustertunnel_fallback_requests_in_flight',
    help: 'Client requests that go to their API servers without the tunnel (spec.fallback).',
  },
  streams: { name: 'clustertunnel_streams', help: 'Open streams over all sessions.' },
  queuedBytes: { name: 'clustertunnel_queued_bytes', help: 'Body bytes that wait for credit or their turn.' },
  bufferedBytes: { name: 'clustertunnel_buffered_bytes', help: 'Body bytes that clients have not taken.' },
  budgetBytes: { name: 'clustertunnel_budget_bytes', help: 'Receive windows granted, of --max-buffer-bytes.' },
  connections: { name: 'clustertunnel_connections', help: 'Open client and agent connections.' },
};

/** Adds what the gateway tells, read at each scrape. */
export function registerGatewayMetrics(
  registry: Registry,
  gateway: Pick<
    Gateway,
    | 'counts'
    | 'maxBufferBytes'
    | 'waiting'
    | 'starvedMs'
    | 'circuits'
    | 'cached'
    | 'fallbacks'
    | 'healthSamples'
    | 'looks'
  >,
): void {
  registerCounts(registry, gateway.counts);
  registerBudgetLimit(registry, gateway.maxBufferBytes);
  registerQueueDepth(registry, gateway.waiting);
  registerStarvation(registry, gateway.starvedMs);
  registerCircuitMetrics(registry, gateway.circuits);
  registerCacheMetrics(registry, gateway.cached);
  registerHealthMetrics(registry, gateway);
  registerFallbackMetrics(registry, gateway.fallbacks);
}

function registerCounts(registry: Registry, counts: () => GatewayCounts): void {
  for (const [key, { name, help }] of Object.entries(GAUGES)) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => gauge.set(counts()[key as keyof GatewayCounts]),
    });
  }
}

function registerBudgetLimit(registry: Registry, maxBufferBytes: number): void {
  const limit = new Gauge({
    name: 'clustertunnel_budget_limit_bytes',
    help: 'What receive windows may be granted, over all tunnels: --max-buffer-bytes.',
    registers: [registry],
  });
  limit.set(maxBufferBytes);
}

/** Adds how many wait for each tunnel; tunnels that are gone are gone from it too. */
export function registerQueueDepth(registry: Registry, waiting: () => ReadonlyMap<string, number>): void {
  const depth: Gauge<'tunnel'> = new Gauge({
    name: 'clustertunnel_queue_depth',
    help: 'Client requests that wait for a free worker of the tunnel, of both pools.',
    labelNames: ['tunnel'],
    registers: [registry],
    collect: () => {
      depth.reset();
      for (const [tunnel, requests] of waiting()) depth.set({ tunnel }, requests);
    },
  });
}

/** Adds how long bytes for agents waited for credit. */
export function registerStarvation(registry: Registry, starvedMs: () => number): void {
  const seconds: Counter = new Counter({
    name: 'clustertunnel_stream_no_credit_seconds_total',
    help: 'Seconds in which streams had bytes for their agent and no credit, summed over streams; noted when credit comes or the stream ends.',
    registers: [registry],
    collect: () => {
      seconds.reset();
      seconds.inc(starvedMs() / 1_000);
    },
  });
}

/** Adds what is measured while it happens. `tunnels`: the names of all that there are; what was measured of others goes. */
export function gatewayMeter(registry: Registry, tunnels: () => Iterable<string>): GatewayMeter {
  const registers = [registry];
  const sessions = new Histogram({
    name: 'clustertunnel_session_duration_seconds',
    help: 'How long agent sessions lived that have ended, by why: a code of tunnel/PROTOCOL.md, NONE when the connection just closed.',
    labelNames: ['reason'],
    buckets: SESSION_SECONDS,
    registers,
  });
  const requests = requestHistograms(registers);
  const cut = cutCounter(registers);
  const waited = waitHistogram(registers, tunnels);
  return {
    waited,
    sessionEnded: (code, durationMs) =>
      sessions.observe({ reason: isKnownCode(code) ? nameOf(code) : OTHER }, durationMs / 1_000),
    requestEnded: (request) => {
      requests(request);
      if (request.cutBy !== undefined) cut(request.cutBy);
    },
  };
}

/** Counts what the gateway answers itself, by cause code. */
export function refusalCounter(registry: Registry): (code: string) => void {
  const counter = new Counter({
    name: 'clustertunnel_requests_refused_total',
    help: 'Requests that the gateway answered itself instead of their target, by cause code (docs/errors.md).',
    labelNames: ['code'],
    registers: [registry],
  });
  return (code) => counter.inc({ code });
}

/** A half-open circuit and one whose probe is under way are the same to people. */
const VALUE: Readonly<Record<CircuitState, number>> = { closed: 0, open: 1, halfOpen: 2, probing: 2 };

/** Adds what tells of circuits, read at each scrape; tunnels that are gone are gone from it too. */
export function registerCircuitMetrics(registry: Registry, circuits: () => readonly CircuitSample[]): void {
  const labelNames = ['tunnel'] as const;
  const state: Gauge<'tunnel'> = new Gauge({
    name: 'clustertunnel_circuit_state',
    help: 'Whether requests go into the tunnel: 0 closed (they do), 1 open (they are refused), 2 half-open (one may try).',
    labelNames,
    registers: [registry],
    collect: () => {
      state.reset();
      for (const sample of circuits()) state.set({ tunnel: sample.tunnel }, VALUE[sample.state]);
    },
  });
  const opened: Counter<'tunnel'> = new Counter({
    name: 'clustertunnel_circuit_opened_total',
    help: 'How often the circuit of the tunnel opened, the times that a probe failed included.',
    labelNames,
    registers: [registry],
    collect: () => {
      opened.reset();
      for (const { tunnel, openings } of circuits()) opened.inc({ tunnel }, openings);
    },
  });
}

/** Adds what tells of the cache, read at each scrape; over all tunnels. */
export function registerCacheMetrics(registry: Registry, cached: () => CacheCounts): void {
  const bytes: Gauge = new Gauge({
    name: 'clustertunnel_cache_bytes',
    help: 'What is remembered of the discovery of all tunnels, with what is being collected.',
    registers: [registry],
    collect: () => bytes.set(cached().bytes),
  });
  const requests: Counter<'result'> = new Counter({
    name: 'clustertunnel_cache_requests_total',
    help: 'Requests for discovery, OpenAPI and version: hit (answered from memory), revalidated (the API server said that it holds), miss (answered by the API server).',
    labelNames: ['result'],
    registers: [registry],
    collect: () => {
      requests.reset();
      for (const [result, count] of Object.entries(cached().results)) requests.inc({ result }, count);
    },
  });
}

/** Adds what tells of requests that went without the tunnel, read at each scrape; tunnels that are gone are gone from it too. */
export function registerFallbackMetrics(registry: Registry, fallbacks: () => readonly FallbackSample[]): void {
  const requests: Counter<'tunnel' | 'result'> = new Counter({
    name: 'clustertunnel_fallback_requests_total',
    help: 'Requests that the tunnel could not carry and that went directly (spec.fallback): answered, cancelled (by the client), unreachable (no connection to the API server), failed, refused (no room; they did not go).',
    labelNames: ['tunnel', 'result'],
    registers: [registry],
    collect: () => {
      requests.reset();
      for (const { tunnel, results } of fallbacks()) {
        for (const [result, count] of Object.entries(results)) requests.inc({ tunnel, result }, count);
      }
    },
  });
}
