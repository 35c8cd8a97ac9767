import type { Budget } from '../tunnel/flow/budget.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Dialer } from './dialer.ts';
import type { AgentGauges } from './metrics.ts';
import type { WorkerPools } from './session-slots.ts';

/** What holds something while requests run. */
export interface Holding {
  readonly dialer: Pick<Dialer, 'sessions'>;
  readonly pools: WorkerPools;
  readonly budget: Budget;
  readonly upstream: Pick<Upstream, 'connections'>;
}

/** What they hold now. */
export function gaugesOf({ dialer, pools, budget, upstream }: Holding): AgentGauges {
  const { ordinary, longRunning } = pools;
  return {
    sessions: dialer.sessions.size,
    bufferedBytes: budget.usedBytes,
    bufferLimitBytes: budget.limitBytes,
    upstreamConnections: upstream.connections,
    running: { ordinary: ordinary.running, longRunning: longRunning.running },
    queued: { ordinary: ordinary.queued, longRunning: longRunning.queued },
    limit: { ordinary: ordinary.limit, longRunning: longRunning.limit },
  };
}
