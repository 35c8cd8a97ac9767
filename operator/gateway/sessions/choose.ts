import type { SlotPool } from '../../../tunnel/session/gateway-session.ts';
import type { AgentLink } from './registry.ts';

/** The session with most free slots of the pool; undefined when none has room. Ties go to the oldest. */
export function choose(links: readonly AgentLink[], pool: SlotPool): AgentLink | undefined {
  let best: AgentLink | undefined;
  for (const link of links) {
    if (!link.session.hasRoom(pool)) continue;
    if (best === undefined || link.session.freeSlots(pool) > best.session.freeSlots(pool)) best = link;
  }
  return best;
}
