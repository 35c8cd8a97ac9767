import { isDeepStrictEqual } from 'node:util';
import type { Condition, Status } from '../../../crds/types.ts';
import { conditions } from './conditions.ts';
import { mergeConditions } from './merge-conditions.ts';
import type { Observation } from './observe.ts';

/** The status to write for what was seen; everything but the dates follows from the observation. */
export function statusOf(seen: Observation, previous: Status | undefined, now: Date): Status {
  const { sessions, deployment } = seen;
  const versions = [...new Set(sessions.agents.map(({ version }) => version))].sort().join(',');
  const kubernetesVersion = sessions.upstream?.kubernetesVersion ?? previous?.kubernetesVersion;
  return {
    observedGeneration: seen.generation,
    endpoint: seen.endpoint,
    ...(kubernetesVersion === undefined ? {} : { kubernetesVersion }),
    agents: agentsOf(seen, previous),
    ...agentOf(versions, deployment, previous),
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

/** For people. What was last known stands while the Deployment cannot be seen. */
function agentsOf({ sessions, spec, deployment }: Observation, previous: Status | undefined): string {
  if (spec?.agent.placement === 'Manual') return String(sessions.agents.length);
  if (deployment !== undefined) return `${deployment.ready}/${deployment.desired}`;
  return previous?.agents ?? `0/${spec?.agent.replicas ?? '?'}`;
}

/** Left out when empty: server-side apply makes null of a map whose last field goes, and the schema refuses null. */
function agentOf(
  version: string,
  deployment: Observation['deployment'],
  previous: Status | undefined,
): Pick<Status, 'agent'> {
  const agent = { ...(version === '' ? {} : { version }), ...replicasOf(deployment, previous) };
  return Object.keys(agent).length === 0 ? {} : { agent };
}

function replicasOf(deployment: Observation['deployment'], previous: Status | undefined): NonNullable<Status['agent']> {
  if (deployment !== undefined) return { desiredReplicas: deployment.desired, readyReplicas: deployment.ready };
  const { desiredReplicas, readyReplicas } = previous?.agent ?? {};
  return {
    ...(desiredReplicas === undefined ? {} : { desiredReplicas }),
    ...(readyReplicas === undefined ? {} : { readyReplicas }),
  };
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
