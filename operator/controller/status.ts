import { isDeepStrictEqual } from 'node:util';
import type { Condition, Status } from '../../crds/types.ts';
import { conditions } from './conditions.ts';
import { mergeConditions } from './merge-conditions.ts';
import type { Observation } from './observe.ts';

/** The status to write for what was seen; everything but the dates follows from the observation. */
export function statusOf(seen: Observation, previous: Status | undefined, now: Date): Status {
  const { sessions, spec, deployment } = seen;
  const versions = [...new Set(sessions.agents.map(({ version }) => version))].sort().join(',');
  const kubernetesVersion = sessions.upstream?.kubernetesVersion ?? previous?.kubernetesVersion;
  const isManual = spec?.agent.placement === 'Manual';
  return {
    observedGeneration: seen.generation,
    endpoint: seen.endpoint,
    ...(kubernetesVersion === undefined ? {} : { kubernetesVersion }),
    agents: isManual
      ? String(sessions.agents.length)
      : `${deployment?.ready ?? 0}/${deployment?.desired ?? spec?.agent.replicas ?? '?'}`,
    ...agentOf(versions, deployment),
    sessions: sessions.liveSessions,
    gateways: sessions.gateways,
    ...lastDisconnect(seen, previous),
    conditions: mergeConditions(previous?.conditions ?? [], conditions(seen), now),
  };
}

/** Whether anything but the order of conditions differs. */
export function isSameStatus(a: Status | undefined, b: Status): boolean {
  return a !== undefined && isDeepStrictEqual(sorted(a), sorted(b));
}

/** Left out when empty: server-side apply makes null of a map whose last field goes, and the schema refuses null. */
function agentOf(version: string, deployment: Observation['deployment']): Pick<Status, 'agent'> {
  if (version === '' && deployment === undefined) return {};
  const replicas =
    deployment === undefined ? {} : { desiredReplicas: deployment.desired, readyReplicas: deployment.ready };
  return { agent: { ...(version === '' ? {} : { version }), ...replicas } };
}

/** A restarted operator has seen no session end, but its predecessor may have. */
function lastDisconnect({ sessions }: Observation, previous: Status | undefined): Pick<Status, 'lastDisconnect'> {
  const known = sessions.lastDisconnect ?? previous?.lastDisconnect;
  return known === undefined ? {} : { lastDisconnect: { ...known } };
}

function sorted(status: Status): Status {
  const byType = (a: Condition, b: Condition) => a.type.localeCompare(b.type);
  return { ...status, conditions: [...(status.conditions ?? [])].sort(byType) };
}
