import { readdirSync } from 'node:fs';
import type { AgentState } from '../../agent/agent.ts';
import { residentBytes } from '../demo/memory.ts';

/** What a process holds. */
export interface Footprint {
  readonly bytes: number;
  readonly descriptors: number;
}

/** Linux. @throws Error when there is no such process */
export function footprintOf(pid: number): Footprint {
  return { bytes: residentBytes(pid) ?? Number.NaN, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** Without the connections to the API server that it keeps for later: as many as were ever needed at once. */
export function agentFootprint(pid: number, { upstreamConnections }: AgentState): Footprint {
  const { bytes, descriptors } = footprintOf(pid);
  return { bytes, descriptors: descriptors - upstreamConnections };
}

/** By name who has more descriptors than before; none: nobody. Pure. */
export function moreDescriptors(
  before: Readonly<Record<string, Footprint>>,
  now: Readonly<Record<string, Footprint>>,
): string[] {
  return Object.entries(now).flatMap(([who, { descriptors }]) => {
    const more = descriptors - (before[who]?.descriptors ?? descriptors);
    return more > 0 ? [`${who}: ${more} descriptors more than at the beginning`] : [];
  });
}
