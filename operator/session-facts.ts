import { REPORT_EVERY_MS } from '../crds/health-report.ts';
import type { SessionFacts } from './controller/status/observe.ts';
import type { AgentLink, TunnelFacts } from './gateway/sessions/registry.ts';
import { isOlder } from './tunnel-views.ts';

/** Agents wait at most reconnect.maxBackoff (30 s unless told) before they dial again; then they greet. */
const SETTLE_MS = 35_000;

/**
 * Until when a tunnel's agents may be on their way back to a gateway that just started; undefined for
 * younger tunnels, and once the gateway itself has seen a session end.
 */
export function settlingUntil(
  creationTimestamp: string | undefined,
  started: { readonly date: Date; readonly ms: number },
  { lastDisconnect }: TunnelFacts,
): number | undefined {
  if (lastDisconnect !== undefined) return undefined;
  return isOlder(creationTimestamp, started.date) ? started.ms + SETTLE_MS : undefined;
}

/** A tunnel that no gateway has heard of. */
export const NO_SESSIONS: TunnelFacts = { links: [], lastDisconnect: undefined, awaySinceMs: undefined };

/** What the gateway knows of a tunnel, in the words that the conditions are decided from. */
export function sessionFacts({ links, lastDisconnect, circuit, way, fallback }: TunnelFacts): SessionFacts {
  return {
    liveSessions: links.length,
    gateways: links.length > 0 ? 1 : 0,
    agents: agentsOf(links),
    lastDisconnect,
    upstream: upstreamOf(links),
    circuit,
    way,
    heardAtMs: links.length === 0 ? undefined : Math.max(...links.map(({ session }) => session.session.vitals.heardMs)),
    freeDisk: leastFreeDisk(links),
    fallback,
  };
}

/** Of the agents that say. */
function leastFreeDisk(links: readonly AgentLink[]): SessionFacts['freeDisk'] {
  const told = links.flatMap(({ instanceId: agent, health }) => {
    const bytes = health?.report.freeDiskBytes;
    return bytes === undefined ? [] : [{ agent, bytes }];
  });
  return told.sort((a, b) => a.bytes - b.bytes)[0];
}

/** One entry an agent process, however many sessions it has. */
function agentsOf(links: readonly AgentLink[]): { instanceId: string; version: string }[] {
  const versions = new Map(links.map(({ instanceId, agentVersion }) => [instanceId, agentVersion]));
  return [...versions].map(([instanceId, version]) => ({ instanceId, version }));
}

/** The newest report; a healthy one wins over a sick one of the same round, since any agent serves any request. */
function upstreamOf(links: readonly AgentLink[]): SessionFacts['upstream'] {
  const heard = links.flatMap(({ health }) => (health === undefined ? [] : [health]));
  const roundMs = Math.max(...heard.map(({ atMs }) => atMs)) - REPORT_EVERY_MS;
  const round = heard.filter(({ atMs }) => atMs >= roundMs).sort((a, b) => b.atMs - a.atMs);
  const newest = round.find(({ report }) => report.k8sHealthy) ?? round[0];
  if (newest === undefined) return undefined;
  const { k8sHealthy, reason, message, kubernetesVersion: version } = newest.report;
  const kubernetesVersion = version === '' ? undefined : version;
  return { healthy: k8sHealthy, reason, message, kubernetesVersion, observedAtMs: newest.atMs };
}
