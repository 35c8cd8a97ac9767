import type { AdmissionSettings } from '../../../crds/admission-settings.ts';
import type { AgentSettings } from '../../../crds/agent-settings.ts';
import type { CacheSettings } from '../../../crds/cache.ts';
import type { CircuitBreakerSettings } from '../../../crds/circuit-breaker.ts';
import type { HealthSettings } from '../../../crds/health.ts';

/** What the gateway needs to know of a tunnel. main.ts makes it from the controller's store. */
export interface TunnelView {
  readonly name: string;
  readonly uid: string;
  /** Being deleted: no new requests, no new sessions. */
  readonly isDeleting: boolean;
  /** spec.suspend: no requests, no sessions, until it is taken back. */
  readonly isSuspended: boolean;
  /** Made before this gateway started: its agents may be on their way back, so "never connected" is not known. */
  readonly predatesGateway?: boolean;
  readonly settings: AgentSettings;
  /** undefined: any rate, and 2,000 requests may wait. */
  readonly admission?: AdmissionSettings;
  readonly circuitBreaker: CircuitBreakerSettings;
  readonly cache: CacheSettings;
  /** undefined: this gateway asks nothing by itself, but for a circuit that is half open. */
  readonly health?: HealthSettings;
  /** spec.fallback: the kubeconfig by which the gateway itself may reach the target; undefined: it may not. */
  readonly fallback?: { readonly name: string; readonly key: string } | undefined;
  /** Changes when spec.agent does: then another API server may be behind the tunnel. */
  readonly placement?: string;
}

/** The accepted tunnels of the hub. */
export interface Tunnels {
  get(name: string): TunnelView | undefined;
  list(): TunnelView[];
}
