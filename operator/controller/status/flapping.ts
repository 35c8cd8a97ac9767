import type { ConditionStatus } from '../../../crds/types.ts';

/** So many changes of Connected within this time are flapping, until there was none for as long. */
export const FLAPS = 4;
export const FLAPS_WITHIN_MS = 120_000;

/** How Connected changed lately. Times are monotonic. */
export interface Flaps {
  /** As it was last seen. */
  readonly connected: ConditionStatus | undefined;
  /** When that changed, the last few times. */
  readonly changesMs: readonly number[];
  readonly isFlapping: boolean;
}

export const STEADY: Flaps = { connected: undefined, changesMs: [], isFlapping: false };

/** Connected is seen to be this now. */
export function sawConnected(flaps: Flaps, connected: ConditionStatus, nowMs: number): Flaps {
  const isChange = flaps.connected !== undefined && flaps.connected !== connected;
  const known = isChange ? [...flaps.changesMs, nowMs] : flaps.changesMs;
  const changesMs = known.filter((atMs) => nowMs - atMs < FLAPS_WITHIN_MS).slice(-FLAPS);
  const isFlapping = changesMs.length >= FLAPS || (flaps.isFlapping && changesMs.length > 0);
  return { connected, changesMs, isFlapping };
}

/** When it will have been steady for long enough, if nothing changes; undefined: it does not flap. */
export function steadyAfterMs({ isFlapping, changesMs }: Flaps, nowMs: number): number | undefined {
  const lastMs = changesMs.at(-1);
  return isFlapping && lastMs !== undefined ? Math.max(0, lastMs + FLAPS_WITHIN_MS - nowMs) : undefined;
}
