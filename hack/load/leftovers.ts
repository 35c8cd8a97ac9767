import type { AgentState } from '../../agent/agent.ts';
import type { GatewayCounts } from '../../operator/gateway/counts.ts';

/** What of any request is still there: names and counts, none when nobody asks for anything. */
export function leftovers(gateway: GatewayCounts, agents: readonly AgentState[]): string[] {
  const { requests, waiting, unsettled, streams, queuedBytes, bufferedBytes, budgetBytes } = gateway;
  return [
    ...remaining('gateway', { requests, waiting, unsettled, streams, queuedBytes, bufferedBytes, budgetBytes }),
    ...agents.flatMap((agent, at) => remaining(`agent ${at}`, countsOf(agent))),
  ];
}

function countsOf({ streams, queuedBytes, bufferedStreamBytes, bufferedBytes, running, queued }: AgentState) {
  return {
    ...{ streams, queuedBytes, bufferedStreamBytes, bufferedBytes },
    ...{ running: running.ordinary + running.longRunning, queued: queued.ordinary + queued.longRunning },
  };
}

function remaining(who: string, counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${who}: ${what} ${count}`]));
}
