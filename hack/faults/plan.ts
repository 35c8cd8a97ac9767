import { Authority } from '../lab/cluster/certificates.ts';
import { freePorts } from '../lab/cluster/ports.ts';
import { type GatewayPlan, planGateway } from '../load/gateway-plan.ts';
import type { UpstreamStart } from '../load/workers/upstream.ts';

/** Requests end in time for whoever takes a late answer for none. */
const REQUEST = '20s';
/** Hundreds of lost sessions open every circuit again and again: they close soon, so that requests are there to be hit. */
const circuitBreaker = { openDuration: '1s', maxOpenDuration: '2s' };
/**
 * One gives up at once on an agent that is away, so that promises are made and taken up; one has few workers, so that
 * requests wait for them; one has two agents, so that what one certainly did not run goes to the other.
 */
const SPECS = {
  hasty: { circuitBreaker, timeouts: { request: REQUEST, disconnectGrace: '50ms' } },
  small: { circuitBreaker, timeouts: { request: REQUEST }, limits: { maxConcurrentRequests: 4 } },
  paired: { circuitBreaker, timeouts: { request: REQUEST } },
  usual: { circuitBreaker, timeouts: { request: REQUEST } },
} as const;

type Tunnel = keyof typeof SPECS;
export const TUNNELS = Object.keys(SPECS) as readonly Tunnel[];

/** Agents by name. */
export const AGENTS = {
  hasty: 'hasty',
  small: 'small',
  left: 'paired',
  right: 'paired',
  usual: 'usual',
} as const satisfies Record<string, Tunnel>;

export type AgentName = keyof typeof AGENTS;
export const AGENT_NAMES = Object.keys(AGENTS) as readonly AgentName[];

/** An agent is back at once: a run has no time for the delays that spare a real gateway. */
const RECONNECT = { minBackoffMs: 50, maxBackoffMs: 200 };
/** The same, before its gateway told it. */
export const AGENT_FLAGS = ['--min-backoff', '50ms', '--max-backoff', '200ms'];

/** Addresses and credentials, which outlive every process. */
export interface Plan {
  readonly gateway: GatewayPlan;
  readonly gatewayPort: number;
  readonly gatewayUrl: string;
  readonly gatewayCa: string;
  readonly agentTokens: ReadonlyMap<string, string>;
  readonly upstream: Omit<UpstreamStart, 'journalPath'>;
  readonly upstreamUrl: string;
  readonly upstreamCa: string;
}

export async function makePlan(): Promise<Plan> {
  const authority = await Authority.create('load upstream');
  const pair = await authority.server('upstream', { dns: ['localhost'], ip: ['127.0.0.1'] });
  const { plan, ca, tokens } = await planGateway(SPECS);
  const [gatewayPort = 0, upstreamPort = 0] = await freePorts(2);
  const tunnels = plan.tunnels.map((each) => ({ ...each, settings: { ...each.settings, reconnect: RECONNECT } }));
  return {
    gateway: { ...plan, tunnels },
    gatewayPort,
    gatewayUrl: `https://127.0.0.1:${gatewayPort}`,
    gatewayCa: ca,
    agentTokens: tokens,
    upstream: { key: pair.keyPem, certificate: pair.certificatePem, port: upstreamPort },
    upstreamUrl: `https://127.0.0.1:${upstreamPort}`,
    upstreamCa: authority.certificatePem,
  };
}
