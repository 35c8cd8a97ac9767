import type { Spec } from './types.ts';
import { measured } from './validate.ts';

/** What a gateway remembers of a tunnel's discovery. */
export interface CacheSettings {
  readonly enabled: boolean;
  readonly ttlMs: number;
  readonly maxBytes: number;
}

/** What a spec says that says nothing. */
export const DEFAULT_CACHE: CacheSettings = { enabled: true, ttlMs: 10_000, maxBytes: 16 * 1024 * 1024 };

/** What gateways keep to for a tunnel with this spec. */
export function cacheSettings({ cache }: Pick<Spec, 'cache'>): CacheSettings {
  const { enabled, ttl, maxBytes } = cache;
  return { enabled, ttlMs: measured('duration', ttl), maxBytes: measured('bytes', maxBytes) };
}
