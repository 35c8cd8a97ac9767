import type { Status } from '../../../crds/types.ts';
import { checkConnected } from './checks.ts';
import { type Flaps, STEADY, sawConnected, steadyAfterMs } from './flapping.ts';
import type { Observation } from './observe.ts';
import { Reason } from './reasons.ts';
import { isSameStatus, statusOf } from './status.ts';

/** While Connected flaps, between two writes of whatever changed. */
const FLAPPING_PAUSE_MS = 30_000;
/** So many writes within that time go at once; then one a minute: never more than 25 in 10 minutes, whatever comes and goes. */
const WRITES = 16;
const WITHIN_MS = 600_000;
const BUSY_PAUSE_MS = 60_000;
/** Of these so many may say nothing but other numbers, as when one of two agents comes and goes: the others are for verdicts. */
const NUMBERS = 10;

/** How the status of one tunnel changed and was written lately. Times are monotonic. */
export interface Pace {
  readonly flaps: Flaps;
  /** The last writes, of what was seen of the last edit of the spec. */
  readonly writtenMs: readonly number[];
}

export const CALM: Pace = { flaps: STEADY, writtenMs: [] };

/** What of a status is news. */
type News = 'none' | 'numbers' | 'conditions' | 'generation';

/** What is to be done with what was seen. */
interface Paced {
  readonly status: Status;
  readonly pace: Pace;
  /** The pace once the status is written. */
  readonly paceWritten: Pace;
  readonly isDue: boolean;
  /** When to look again: something is held back, or may be steady then. */
  readonly againMs: number | undefined;
}

/** The status for what was seen, and whether it may be written yet. */
export function paced(pace: Pace, observed: Observation, previous: Status | undefined, now: Date): Paced {
  const { nowMs, spec } = observed;
  // Who suspends a tunnel and takes that back means it.
  const flaps = spec?.suspend ? STEADY : sawConnected(pace.flaps, checkConnected(observed).status, nowMs);
  const status = statusOf({ ...observed, isFlapping: flaps.isFlapping }, previous, now);
  const news = newsOf(previous, status);
  const next = { ...pace, flaps };
  const waitMs = heldMs(next, previous, news, nowMs);
  const againMs = Math.min(waitMs || Number.POSITIVE_INFINITY, steadyAfterMs(flaps, nowMs) ?? Number.POSITIVE_INFINITY);
  return {
    status,
    pace: next,
    paceWritten: wrote(next, news, nowMs),
    isDue: waitMs === 0,
    againMs: Number.isFinite(againMs) ? againMs : undefined,
  };
}

/** Whether both tell of one flapping: then what comes and goes is no news for people. */
export function areFlapping(previous: Status | undefined, status: Status): boolean {
  return isFlappingIn(previous) && isFlappingIn(status);
}

function newsOf(previous: Status | undefined, status: Status): News {
  if (isSameStatus(previous, status)) return 'none';
  if (previous === undefined || previous.observedGeneration !== status.observedGeneration) return 'generation';
  return verdictsOf(previous) === verdictsOf(status) ? 'numbers' : 'conditions';
}

/** How long a write has to wait; 0: not at all. What somebody asked for is never held back. */
function heldMs({ flaps, writtenMs }: Pace, previous: Status | undefined, news: News, nowMs: number): number {
  if (news === 'none' || news === 'generation') return 0;
  const writes = lately(writtenMs, nowMs).length;
  const leftMs = (pauseMs: number) => Math.max(0, (writtenMs.at(-1) ?? Number.NEGATIVE_INFINITY) + pauseMs - nowMs);
  if (writes >= WRITES) return leftMs(BUSY_PAUSE_MS);
  // The first word of flapping goes at once.
  if (flaps.isFlapping && isFlappingIn(previous)) return leftMs(FLAPPING_PAUSE_MS);
  return news === 'numbers' && writes >= NUMBERS ? leftMs(BUSY_PAUSE_MS) : 0;
}

/** After an edit somebody waits for what comes of it: that begins anew. */
function wrote(pace: Pace, news: News, nowMs: number): Pace {
  if (news === 'none') return pace;
  const before = news === 'generation' ? [] : lately(pace.writtenMs, nowMs);
  return { ...pace, writtenMs: [...before, nowMs].slice(-WRITES) };
}

function isFlappingIn(status: Status | undefined): boolean {
  const connected = status?.conditions?.find(({ type }) => type === 'Connected');
  return connected?.reason === Reason.Flapping;
}

function lately(timesMs: readonly number[], nowMs: number): number[] {
  return timesMs.filter((atMs) => nowMs - atMs < WITHIN_MS);
}

function verdictsOf({ conditions = [] }: Status): string {
  const said = conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
  return said.sort().join();
}
