import type { AdmissionSettings } from '../../crds/admission-settings.ts';
import type { AgentSettings } from '../../crds/agent-settings.ts';
import type { CacheSettings } from '../../crds/cache.ts';
import type { CircuitBreakerSettings } from '../../crds/circuit-breaker.ts';
import type { HealthSettings } from '../../crds/health.ts';
import type { SessionSettings } from '../../tunnel/session/settings.ts';
import type { Slots } from '../../tunnel/wire/documents.ts';
import type { Registry } from './sessions/registry.ts';
import type { Tunnels } from './sessions/tunnels.ts';

/** What bounds a tunnel at this gateway now. */
export interface InForce {
  readonly name: string;
  /** metadata.generation that this follows from. */
  readonly generation: number;
  readonly admission: AdmissionSettings | undefined;
  readonly timeouts: AgentSettings['timeouts'];
  readonly circuitBreaker: CircuitBreakerSettings;
  readonly cache: CacheSettings;
  readonly health: HealthSettings | undefined;
  readonly sessions: readonly {
    readonly streams: number;
    readonly settings: SessionSettings;
    readonly workers: Slots;
  }[];
}

/** The bounds of every tunnel, for /debug/state. */
export function inForce(tunnels: Tunnels, registry: Registry): InForce[] {
  return tunnels
    .list()
    .map(({ name, admission, circuitBreaker, cache, health, settings: { generation, timeouts } }) => {
      const sessions = registry.facts(name).links.map(({ session: { session, workers } }) => {
        return { streams: session.streams.size, settings: session.settings, workers };
      });
      return { name, generation, admission, timeouts, circuitBreaker, cache, health, sessions };
    });
}
