import type { CacheSettings } from '../../../crds/cache.ts';
import type { Clock } from '../../../process/clock.ts';
import type { RequestInfo } from '../../../tunnel/request-info.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import type { Allowed } from '../front/gate.ts';
import type { TunnelView } from '../sessions/tunnels.ts';
import { isAskable, valuesOf } from './asked.ts';
import { keyOf } from './key.ts';
import { TunnelCache } from './tunnel-cache.ts';
import { type CacheResult, type CacheTurn, PASSING, Turn } from './turn.ts';

/** What is remembered in this process, and how often it was of use. */
export interface CacheCounts {
  readonly bytes: number;
  readonly results: Readonly<Record<CacheResult, number>>;
}

/** A request that was let in. */
export interface CacheAsking {
  readonly method: string;
  readonly allowed: Pick<Allowed, 'route' | 'view' | 'user' | 'identity'>;
  /** That cross to the target. */
  readonly headers: RawHeaders;
  readonly hasBody: boolean;
  readonly isUpgrade: boolean;
  readonly leftMs: () => number;
}

/** Writes to these change what discovery says. */
const OF_KINDS: ReadonlySet<string> = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io']);

/** What is remembered of all tunnels together, of what the gateway may buffer. */
const OF_BUFFERS = 1 / 2;

/** What the API servers behind tunnels said of themselves, for each user apart. */
export class Cache {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #tunnels = new Map<string, TunnelCache>();
  readonly #results = { hit: 0, revalidated: 0, miss: 0 };

  /** `maxBufferBytes`: what streams may buffer; the cache holds at most half as much again. */
  constructor(clock: Clock, maxBufferBytes: number) {
    this.#clock = clock;
    this.#maxBytes = maxBufferBytes * OF_BUFFERS;
  }

  get counts(): CacheCounts {
    return { bytes: this.#bytes, results: { ...this.#results } };
  }

  /** What the cache has to do with this request. */
  enter({ method, allowed, headers, hasBody, isUpgrade, leftMs }: CacheAsking): CacheTurn {
    const { route, view, user, identity } = allowed;
    const { plainPath, path } = route;
    if (route.isLongRunning || !isAskable({ method, plainPath, headers, hasBody, isUpgrade })) return PASSING;
    const cache = this.#of(view);
    if (cache === undefined) return PASSING;
    return new Turn({
      cache,
      key: keyOf({ mode: view.settings.access.mode, user, identity, path, headers }),
      ifNoneMatch: valuesOf(headers, 'if-none-match'),
      leftMs,
      count: (result) => {
        this.#results[result] += 1;
      },
    });
  }

  /** A write got this answer; of kinds it changes what discovery says. */
  wrote(view: TunnelView, { apiGroup }: Pick<RequestInfo, 'apiGroup'>, status = 0): void {
    if (OF_KINDS.has(apiGroup) && status >= 200 && status < 300) this.#of(view)?.kindsChanged();
  }

  /** Its spec changed, or it is gone. */
  tunnelChanged(name: string, view: TunnelView | undefined): void {
    if (view === undefined || view.isDeleting) this.forget(name);
    else if (this.#tunnels.has(name)) this.#of(view);
  }

  forget(tunnel: string): void {
    this.#tunnels.get(tunnel)?.forget();
    this.#tunnels.delete(tunnel);
  }

  /** undefined: nothing of this tunnel is remembered. */
  #of(view: TunnelView): TunnelCache | undefined {
    const { name, isSuspended, cache: settings } = view;
    const scope = scopeOf(view);
    const known = this.#tunnels.get(name);
    if (known !== undefined && (isSuspended || !settings.enabled || known.scope !== scope)) this.forget(name);
    if (isSuspended || !settings.enabled) return undefined;
    const cache = this.#tunnels.get(name) ?? this.#tunnelCache(scope, settings);
    this.#tunnels.set(name, cache);
    cache.configure(settings);
    return cache;
  }

  #tunnelCache(scope: string, settings: CacheSettings): TunnelCache {
    return new TunnelCache(scope, settings, { clock: this.#clock, fit: () => this.#fit() });
  }

  get #bytes(): number {
    return [...this.#tunnels.values()].reduce((sum, cache) => sum + cache.bytes, 0);
  }

  /** Forgets until all fit, where most is remembered first. False: what is being collected alone is too much. */
  #fit(): boolean {
    while (this.#bytes > this.#maxBytes) {
      const largest = [...this.#tunnels.values()].reduce((most, each) =>
        each.keptBytes > most.keptBytes ? each : most,
      );
      if (largest.keptBytes === 0) return false;
      largest.dropOldest();
    }
    return true;
  }
}

/** What an answer holds for: this tunnel, who passes it as whom, and what is behind it. */
function scopeOf({ uid, settings, placement = '' }: TunnelView): string {
  return JSON.stringify([uid, settings.access, placement]);
}
