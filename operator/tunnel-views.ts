import { agentSettings } from '../crds/agent-settings.ts';
import type { ClusterTunnel } from '../crds/types.ts';
import { validateSpec } from '../crds/validate.ts';
import type { Tunnels, TunnelView } from './gateway/sessions/tunnels.ts';

/** The controller's tunnels as the gateway sees them: accepted ones only, checked once a generation. */
export class TunnelViews implements Tunnels {
  readonly #find: (name: string) => ClusterTunnel | undefined;
  readonly #startedAt: Date;
  readonly #views = new Map<string, { readonly version: string; readonly view: TunnelView | undefined }>();

  /** `startedAt`: when this gateway started. */
  constructor(find: (name: string) => ClusterTunnel | undefined, startedAt: Date) {
    this.#find = find;
    this.#startedAt = startedAt;
  }

  get(name: string): TunnelView | undefined {
    const tunnel = this.#find(name);
    if (tunnel === undefined) {
      this.#views.delete(name);
      return undefined;
    }
    const { uid, generation = 0, deletionTimestamp = '' } = tunnel.metadata;
    const version = `${uid}/${generation}/${deletionTimestamp}`;
    const known = this.#views.get(name);
    if (known?.version === version) return known.view;
    const view = viewOf(tunnel, this.#startedAt);
    this.#views.set(name, { version, view });
    return view;
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
    predatesGateway: isOlder(creationTimestamp, startedAt),
    settings: agentSettings(validated.spec, { uid, generation }),
  };
}

/** Whether an object of this creationTimestamp (RFC 3339, whole seconds) is older than `date`; not in the same second. */
export function isOlder(creationTimestamp: string | undefined, date: Date): boolean {
  const seconds = Math.floor(date.getTime() / 1_000);
  return creationTimestamp !== undefined && Date.parse(creationTimestamp) / 1_000 < seconds;
}
