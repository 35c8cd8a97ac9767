import type { Budget } from '../../tunnel/flow/budget.ts';
import type { Admission } from './admission/admit.ts';
import type { Fallbacks } from './fallback/fallbacks.ts';
import type { Handler } from './front/handler.ts';
import type { GatewayServer } from './front/server.ts';
import type { Hub } from './sessions/hub.ts';
import type { Registry } from './sessions/registry.ts';
import type { Unsettled } from './sessions/unsettled.ts';

/** What is alive at this gateway: all zero, but sessions and connections, when nobody asks for anything. */
export interface GatewayCounts {
  readonly sessions: number;
  readonly greeting: number;
  readonly requests: number;
  readonly waiting: number;
  /** Requests whose session was lost, until their agent says whether it saw them. */
  readonly unsettled: number;
  /** Requests that go to their API servers without a tunnel. */
  readonly direct: number;
  readonly streams: number;
  readonly queuedBytes: number;
  readonly bufferedBytes: number;
  readonly budgetBytes: number;
  readonly connections: number;
}

/** What can tell. */
interface Counted {
  readonly registry: Registry;
  readonly hub: Hub;
  readonly handler: Handler;
  readonly admission: Admission;
  readonly unsettled: Unsettled;
  readonly fallbacks: Pick<Fallbacks, 'running' | 'waiting'>;
  readonly server: GatewayServer;
  readonly budget: Budget;
}

export function countAll(parts: Counted): GatewayCounts {
  const { registry, hub, handler, admission, unsettled, fallbacks, server, budget } = parts;
  const links = registry.all();
  const sum = (of: (counts: { streams: number; queuedBytes: number; bufferedBytes: number }) => number) =>
    links.reduce((total, { session }) => total + of(session.session.counts), 0);
  return {
    sessions: links.length,
    greeting: hub.greeting,
    requests: handler.active,
    waiting: admission.waiting + fallbacks.waiting,
    unsettled: unsettled.size,
    direct: fallbacks.running,
    streams: sum(({ streams }) => streams),
    queuedBytes: sum(({ queuedBytes }) => queuedBytes),
    bufferedBytes: sum(({ bufferedBytes }) => bufferedBytes),
    budgetBytes: budget.usedBytes,
    connections: server.connections,
  };
}
