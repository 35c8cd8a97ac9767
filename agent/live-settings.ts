import type { AgentSettings } from '../crds/agent-settings.ts';
import type { Budget } from '../tunnel/flow/budget.ts';
import type { AgentSession } from '../tunnel/session/agent-session.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { sessionSettings } from './limits.ts';
import type { WorkerPools } from './session-slots.ts';

/** What follows the settings while it runs. All else reads them when it needs them. */
export interface Running {
  readonly pools: WorkerPools;
  readonly budget: Budget;
  readonly upstream: Upstream;
  readonly sessions: Iterable<AgentSession>;
}

/** Brings new settings to what runs. Smaller ones let nothing new begin, and end nothing. */
export function bringSettings(settings: AgentSettings, { pools, budget, upstream, sessions }: Running): void {
  const { limits, timeouts } = settings;
  budget.limitBytes = limits.maxBufferBytes;
  upstream.reconfigure({ connectMs: timeouts.connectMs });
  for (const { session } of sessions) session.settings = sessionSettings(settings);
  // Last: what waited for a worker begins here.
  pools.ordinary.limit = limits.maxConcurrentRequests;
  pools.longRunning.limit = limits.maxLongRunningRequests;
}
