import { admissionSettings } from '../crds/admission-settings.ts';
import { agentSettings } from '../crds/agent-settings.ts';
import { cacheSettings } from '../crds/cache.ts';
import { circuitBreakerSettings } from '../crds/circuit-breaker.ts';
import { healthSettings } from '../crds/health.ts';
import type { ClusterTunnel } from '../crds/types.ts';
import { validateSpec } from '../crds/validate.ts';
import type { Tunnels, TunnelView } from './gateway/sessions/tunnels.ts';

/** The hub's tunnels, as its API server last told. */
export interface TunnelSource {
  get(name: string): ClusterTunnel | undefined;
  list(): readonly ClusterTunnel[];
}

/**
 * The controller's tunnels as the gateway sees them: accepted ones only, checked once a generation. One whose new spec
 * cannot be used goes on as it was; only this process knows how that was.
 */
export class TunnelViews implements Tunnels {
  readonly #source: TunnelSource;
  readonly #startedAt: Date;
  readonly #views = new Map<string, { readonly version: string; readonly view: TunnelView | undefined }>();

  /** `startedAt`: when this gateway started. */
  constructor(source: TunnelSource, startedAt: Date) {
    this.#source = source;
    this.#startedAt = startedAt;
  }

  get(name: string): TunnelView | undefined {
    const tunnel = this.#source.get(name);
    if (tunnel === undefined) {
      this.#views.delete(name);
      return undefined;
    }
    const { uid, generation = 0, deletionTimestamp = '' } = tunnel.metadata;
    const version = `${uid}/${generation}/${deletionTimestamp}`;
    const known = this.#views.get(name);
    if (known?.version === version) return known.view;
    const view = viewOf(tunnel, this.#startedAt) ?? lastValid(tunnel, known?.view);
    this.#views.set(name, { version, view });
    return view;
  }

  list(): TunnelView[] {
    return this.#source.list().flatMap(({ metadata }) => this.get(metadata.name) ?? []);
  }
}

/** undefined: the spec cannot be used. */
function viewOf({ metadata, spec }: ClusterTunnel, startedAt: Date): TunnelView | undefined {
  const validated = validateSpec(spec);
  if ('errors' in validated) return undefined;
  const { name, uid, generation = 0, deletionTimestamp, creationTimestamp } = metadata;
  return {
    name,
    uid,
    isDeleting: deletionTimestamp !== undefined,
    isSuspended: validated.spec.suspend,
    predatesGateway: isOlder(creationTimestamp, startedAt),
    settings: agentSettings(validated.spec, { uid, generation }),
    admission: admissionSettings(validated.spec),
    circuitBreaker: circuitBreakerSettings(validated.spec),
    cache: cacheSettings(validated.spec),
    health: healthSettings(validated.spec),
    fallback: validated.spec.fallback?.kubeconfigSecretRef,
    placement: JSON.stringify(validated.spec.agent),
  };
}

/** The view of before the spec could not be used; what is being deleted is still seen to be. */
function lastValid({ metadata }: ClusterTunnel, view: TunnelView | undefined): TunnelView | undefined {
  if (view === undefined || view.uid !== metadata.uid) return undefined;
  return { ...view, isDeleting: metadata.deletionTimestamp !== undefined };
}

/** Whether an object of this creationTimestamp (RFC 3339, whole seconds) is older than `date`; not in the same second. */
export function isOlder(creationTimestamp: string | undefined, date: Date): boolean {
  const seconds = Math.floor(date.getTime() / 1_000);
  return creationTimestamp !== undefined && Date.parse(creationTimestamp) / 1_000 < seconds;
}
