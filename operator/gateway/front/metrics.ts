import { Counter, Histogram, type Registry } from 'prom-client';
import { REQUEST_SECONDS } from '../../../process/request-seconds.ts';
import type { GatewayMeter } from '../meter.ts';
import { RequestPatterns } from '../request-labels.ts';

/** From `kubectl logs` to a watch of an informer. */
const LONG_REQUEST_SECONDS = [1, 10, 60, 300, 1_800, 7_200];
/** From a moment to the longest timeouts.request that is usual. */
const WAIT_SECONDS = [0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60];

/** How long requests took. */
export function requestHistograms(registers: Registry[]): GatewayMeter['requestEnded'] {
  const common = { labelNames: ['verb', 'pattern'] as const, registers };
  const ordinary = new Histogram({
    name: 'clustertunnel_request_duration_seconds',
    help: 'How long requests took that were let in, by verb and path pattern (group/resource/subresource, or other); without long-running ones.',
    buckets: REQUEST_SECONDS,
    ...common,
  });
  const longRunning = new Histogram({
    name: 'clustertunnel_long_request_duration_seconds',
    help: 'The same of long-running requests: watch, logs, exec, attach, port-forward and proxy.',
    buckets: LONG_REQUEST_SECONDS,
    ...common,
  });
  const patterns = new RequestPatterns();
  return (request) => {
    const histogram = request.isLongRunning ? longRunning : ordinary;
    // Labels are the first argument, the same object for the same labels.
    histogram.observe(patterns.labelsOf(request), request.durationMs / 1_000);
  };
}

/** How long requests waited; of tunnels that are gone nothing is left. */
export function waitHistogram(registers: Registry[], tunnels: () => Iterable<string>): GatewayMeter['waited'] {
  const labels = new Map<string, { readonly tunnel: string }>();
  const waits = new Histogram({
    name: 'clustertunnel_queue_wait_seconds',
    help: 'How long requests waited for a free worker of the tunnel, or for its session to come back, if they had to.',
    labelNames: ['tunnel'],
    buckets: WAIT_SECONDS,
    registers,
    collect() {
      const known = new Set(tunnels());
      for (const [tunnel, label] of labels) {
        if (known.has(tunnel)) continue;
        this.remove(label);
        labels.delete(tunnel);
      }
    },
  });
  return (tunnel, waitedMs) => {
    const label = labels.get(tunnel) ?? { tunnel };
    labels.set(tunnel, label);
    waits.observe(label, waitedMs / 1_000);
  };
}

/** Counts answers that broke off, by cause code. */
export function cutCounter(registers: Registry[]): (code: string) => void {
  const counter = new Counter({
    name: 'clustertunnel_answers_cut_total',
    help: 'Answers of targets that broke off after they had begun, other than by their clients, by cause code (docs/errors.md).',
    labelNames: ['code'],
    registers,
  });
  return (code) => counter.inc({ code });
}
