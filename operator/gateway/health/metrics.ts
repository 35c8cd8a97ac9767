import { Counter, Gauge, type Registry } from 'prom-client';
import type { HealthSample } from './samples.ts';
import type { LookCounts } from './ways.ts';

/** What can tell. */
export interface HealthSource {
  readonly healthSamples: () => readonly HealthSample[];
  readonly looks: () => LookCounts;
}

const GAUGES: readonly { name: string; help: string; read: (sample: HealthSample) => number | undefined }[] = [
  {
    name: 'clustertunnel_health_upstream_latency_seconds',
    help: "How long the API server of the tunnel took to answer an agent's last probe; of several agents the longest.",
    read: ({ latencyMs }) => latencyMs / 1_000,
  },
  {
    name: 'clustertunnel_health_loop_delay_seconds',
    help: 'How late the event loop of an agent of the tunnel ran lately, 99th percentile; of several agents the latest.',
    read: ({ loopDelayMs }) => loopDelayMs / 1_000,
  },
  {
    name: 'clustertunnel_health_free_disk_bytes',
    help: 'Free bytes on the root file system of the agents of the tunnel; of several agents the least. Absent where none says.',
    read: ({ freeDiskBytes }) => freeDiskBytes,
  },
  {
    name: 'clustertunnel_health_memory_bytes',
    help: 'Resident memory of the agents of the tunnel; of several agents the most.',
    read: ({ memoryBytes }) => memoryBytes,
  },
  {
    name: 'clustertunnel_health_heap_bytes',
    help: "Memory that the agents' JavaScript objects take; of several agents the most.",
    read: ({ heapBytes }) => heapBytes,
  },
];

/** Adds what agents tell of themselves, and how the gateway's own looks ended; read at each scrape. */
export function registerHealthMetrics(registry: Registry, { healthSamples, looks }: HealthSource): void {
  for (const { name, help, read } of GAUGES) {
    const gauge: Gauge<'tunnel'> = new Gauge({
      name,
      help,
      labelNames: ['tunnel'],
      registers: [registry],
      collect: () => {
        gauge.reset();
        for (const sample of healthSamples()) {
          const value = read(sample);
          if (value !== undefined) gauge.set({ tunnel: sample.tunnel }, value);
        }
      },
    });
  }
  const counter: Counter<'result'> = new Counter({
    name: 'clustertunnel_health_looks_total',
    help: 'Looks of the gateway whether requests get through: spared (a request had succeeded, or the circuit is open), reached or failed (its own probe), saturated (no worker was free for one).',
    labelNames: ['result'],
    registers: [registry],
    collect: () => {
      counter.reset();
      for (const [result, count] of Object.entries(looks())) counter.inc({ result }, count);
    },
  });
}
