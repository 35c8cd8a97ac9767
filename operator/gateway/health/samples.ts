import type { HealthReport } from '../../../crds/health-report.ts';
import type { AgentLink } from '../sessions/registry.ts';

/** What the agents of one tunnel said last of themselves: of several the worst. */
export interface HealthSample {
  readonly tunnel: string;
  readonly latencyMs: number;
  readonly loopDelayMs: number;
  readonly memoryBytes: number;
  readonly heapBytes: number;
  /** undefined: none says. */
  readonly freeDiskBytes: number | undefined;
}

/** undefined: no agent has said anything. */
export function healthSample(tunnel: string, links: readonly AgentLink[]): HealthSample | undefined {
  const reports = links.flatMap(({ health }) => (health === undefined ? [] : [health.report]));
  if (reports.length === 0) return undefined;
  const most = (of: (report: HealthReport) => number) => Math.max(...reports.map(of));
  const free = reports.flatMap(({ freeDiskBytes }) => freeDiskBytes ?? []);
  return {
    tunnel,
    latencyMs: most(({ latencyMs }) => latencyMs),
    loopDelayMs: most(({ loopDelayMs }) => loopDelayMs),
    memoryBytes: most(({ memoryBytes }) => memoryBytes),
    heapBytes: most(({ heapBytes }) => heapBytes),
    freeDiskBytes: free.length === 0 ? undefined : Math.min(...free),
  };
}
