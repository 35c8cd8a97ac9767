import { Counter, Gauge, type Registry } from 'prom-client';
import type { GatewayCounts } from './gateway.ts';

const GAUGES: Readonly<Record<keyof GatewayCounts, { name: string; help: string }>> = {
  sessions: { name: 'clustertunnel_sessions', help: 'Agent sessions at this gateway.' },
  greeting: { name: 'clustertunnel_sessions_greeting', help: 'Agent connections that have not greeted yet.' },
  requests: { name: 'clustertunnel_requests_in_flight', help: 'Client requests without a complete answer.' },
  waiting: { name: 'clustertunnel_requests_waiting', help: 'Client requests that wait for a free worker.' },
  unsettled: {
    name: 'clustertunnel_requests_unsettled',
    help: 'Writes whose session was lost, until their agent says whether it saw them.',
  },
  streams: { name: 'clustertunnel_streams', help: 'Open streams over all sessions.' },
  queuedBytes: { name: 'clustertunnel_queued_bytes', help: 'Body bytes that wait for credit or their turn.' },
  bufferedBytes: { name: 'clustertunnel_buffered_bytes', help: 'Body bytes that clients have not taken.' },
  budgetBytes: { name: 'clustertunnel_budget_bytes', help: 'Receive windows granted, of --max-buffer-bytes.' },
  connections: { name: 'clustertunnel_connections', help: 'Open client and agent connections.' },
};

/** Adds the gateway's gauges, read at each scrape. */
export function registerGatewayMetrics(registry: Registry, counts: () => GatewayCounts): void {
  for (const [key, { name, help }] of Object.entries(GAUGES)) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => gauge.set(counts()[key as keyof GatewayCounts]),
    });
  }
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
