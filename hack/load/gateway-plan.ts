import { randomBytes } from 'node:crypto';
import { type AgentSettings, agentSettings } from '../../crds/agent-settings.ts';
import { type AgentKey, mintAgentToken } from '../../crds/agent-token.ts';
import { type CircuitBreakerSettings, circuitBreakerSettings } from '../../crds/circuit-breaker.ts';
import { validateSpec } from '../../crds/validate.ts';
import { issueAuthority, issueServing, type KeyPair } from '../../operator/gateway/front/certificates.ts';

/** What a gateway knows without a hub: the same after each of its restarts. */
export interface GatewayPlan {
  readonly certificate: KeyPair;
  readonly tunnels: readonly PlannedTunnel[];
}

export interface PlannedTunnel {
  readonly name: string;
  readonly uid: string;
  readonly settings: AgentSettings;
  readonly circuitBreaker: CircuitBreakerSettings;
  readonly key: AgentKey;
}

/** A plan, and what the others need of it: the CA, and by tunnel the token of its agents. */
export interface Planned {
  readonly plan: GatewayPlan;
  readonly ca: string;
  readonly tokens: ReadonlyMap<string, string>;
}

/** `specs`: of the ClusterTunnels, by name. @throws RangeError for one that is not valid */
export async function planGateway(specs: Readonly<Record<string, object>>): Promise<Planned> {
  const authority = await issueAuthority(new Date());
  const certificate = await issueServing(authority, ['localhost', '127.0.0.1'], new Date());
  const tokens = new Map<string, string>();
  const tunnels = Object.entries(specs).map(([name, spec]) => {
    const uid = `${name}-uid`;
    const { token, keyId, sha256 } = mintAgentToken(randomBytes);
    tokens.set(name, token);
    const key = { keyId, sha256, createdAt: new Date().toISOString(), tunnel: name, tunnelUid: uid };
    return { name, uid, key, ...settingsOf(spec, uid) };
  });
  return { plan: { certificate, tunnels }, ca: authority.cert, tokens };
}

function settingsOf(spec: object, uid: string): Pick<PlannedTunnel, 'settings' | 'circuitBreaker'> {
  const checked = validateSpec(spec);
  if ('errors' in checked) throw new RangeError(checked.errors.join('; '));
  return {
    settings: agentSettings(checked.spec, { uid, generation: 1 }),
    circuitBreaker: circuitBreakerSettings(checked.spec),
  };
}
