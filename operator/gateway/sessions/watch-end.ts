import { ErrorCode } from '../../../tunnel/wire/codes.ts';

/** Watches end within this time, not all at once: their clients come back at once. */
const SPREAD_MS = 1_000;
/** client-go lists again after a watch of less than a second without an event (VeryShortWatchError), and its clock is not ours. */
const SHORTEST_MS = 1_100;

/** No watch takes longer to end. */
export const WATCH_ENDS_WITHIN_MS = SHORTEST_MS + SPREAD_MS;

/**
 * Whether a watch whose head is out ends cleanly: its client then watches on from where it stood. After a cut, HTTP/2
 * clients list everything again. What broke HTTP is no end of a watch.
 * Source: client-go tools/cache/reflector.go, measured.
 */
export function endsCleanly(code: number): boolean {
  return code !== ErrorCode.UpstreamProtocol;
}

/** When a watch ends that has lost its stream, in ms from now. `random`: 0 to 1. */
export function watchEndsAfterMs(
  watch: { readonly ageMs: number; readonly hasEvents: boolean },
  random: number,
): number {
  const leastMs = watch.hasEvents ? 0 : Math.max(0, SHORTEST_MS - watch.ageMs);
  return leastMs + random * SPREAD_MS;
}
