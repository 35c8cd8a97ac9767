import { REPORT_EVERY_MS } from '../../../crds/health-report.ts';
import type { SlotPool } from '../../../tunnel/session/gateway-session.ts';
import type { AgentLink } from './registry.ts';

/** Twice what agents promise: a late report is not old yet. */
const REPORT_COUNTS_MS = 2 * REPORT_EVERY_MS;

/**
 * The session with most free slots of the pool; undefined when none has room. Ties go to the oldest. While others are
 * open, agents that say that they do not reach their API server get nothing: who refuses at once always has free slots.
 */
export function choose(links: readonly AgentLink[], pool: SlotPool, nowMs: number): AgentLink | undefined {
  const isAnyWell = links.some((link) => isWell(link, nowMs));
  let best: AgentLink | undefined;
  for (const link of links) {
    if (!link.session.hasRoom(pool) || (isAnyWell && !isWell(link, nowMs))) continue;
    if (best === undefined || link.session.freeSlots(pool) > best.session.freeSlots(pool)) best = link;
  }
  return best;
}

/** The sessions of other agents than this one (instanceId) that may reach their API server. */
export function others(links: readonly AgentLink[], agent: string, nowMs: number): AgentLink[] {
  return links.filter((link) => link.instanceId !== agent && isWell(link, nowMs));
}

/** Open, and nothing bad was heard of it lately. */
function isWell({ session, health }: AgentLink, nowMs: number): boolean {
  const isSick = health !== undefined && !health.report.k8sHealthy && nowMs - health.atMs <= REPORT_COUNTS_MS;
  return session.isOpen && !isSick;
}
