import type { HealthSettings } from '../../../crds/health.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { Outcome } from '../sessions/overheard.ts';

/** What one look at the way to an API server showed. */
export type Look =
  | { readonly kind: 'reached' }
  | { readonly kind: 'saturated' }
  | { readonly kind: 'failed'; readonly detail: string };

/** What a gateway knows of the way to one API server, by what went along it. Times are monotonic. */
export interface Way {
  /** The last success, of a user or a probe. */
  readonly reachedMs: number | undefined;
  readonly lookedMs: number;
  /** Looks since then that showed none, one way or the other. */
  readonly misses: number;
  /** Probes among them that failed. */
  readonly failures: number;
  readonly last: Look['kind'] | undefined;
  /** Of the last failure, in words. */
  readonly detail: string;
}

/** `unseen`: nothing went along it yet, or too little to tell. */
export type WayState = 'unseen' | 'open' | 'failing' | 'saturated';

/** What conditions are decided from. */
export interface WayFacts {
  readonly state: WayState;
  /** When it was last seen so. */
  readonly atMs: number;
  readonly detail: string;
}

export const UNSEEN: Way = {
  reachedMs: undefined,
  lookedMs: Number.NEGATIVE_INFINITY,
  misses: 0,
  failures: 0,
  last: undefined,
  detail: '',
};

/** The way after one more look. */
export function looked(way: Way, look: Look, nowMs: number): Way {
  if (look.kind === 'reached') return { ...UNSEEN, reachedMs: nowMs, lookedMs: nowMs, last: 'reached' };
  const misses = way.misses + 1;
  if (look.kind === 'saturated') return { ...way, lookedMs: nowMs, misses, last: 'saturated' };
  return { ...way, lookedMs: nowMs, misses, failures: way.failures + 1, last: 'failed', detail: look.detail };
}

/** Few misses are no news. Of many the last says what they mean: a pool that is full tells nothing against the API server. */
export function wayState(way: Way, { failureThreshold }: Pick<HealthSettings, 'failureThreshold'>): WayState {
  if (way.misses < failureThreshold) return way.reachedMs === undefined ? 'unseen' : 'open';
  return way.last === 'failed' && way.failures >= failureThreshold ? 'failing' : 'saturated';
}

export function wayFacts(way: Way, settings: Pick<HealthSettings, 'failureThreshold'>): WayFacts {
  const state = wayState(way, settings);
  return { state, atMs: state === 'open' ? (way.reachedMs ?? way.lookedMs) : way.lookedMs, detail: way.detail };
}

/** How long a success spares a probe. 0: one is due. */
export function sparedMs(
  { reachedMs }: Way,
  { intervalMs }: Pick<HealthSettings, 'intervalMs'>,
  nowMs: number,
): number {
  return reachedMs === undefined ? 0 : Math.max(0, reachedMs + intervalMs - nowMs);
}

/** Whether an answer is one that only a working API server gives to an agent that it knows. */
export function isSuccess(outcome: Outcome, status: number | undefined): boolean {
  return outcome === 'answered' && status !== undefined && status < 500 && status !== 401;
}

/** The agent had no worker after all. */
const FULL: ReadonlySet<number> = new Set([ErrorCode.Overload]);
/** The session went, and with it the question. */
const GONE: ReadonlySet<number> = new Set([ErrorCode.SessionLost, ErrorCode.Draining]);

/** What the end of a probe shows; undefined: nothing. */
export function lookOf(outcome: Outcome, status: number | undefined, timeoutMs: number): Look | undefined {
  if (isSuccess(outcome, status)) return { kind: 'reached' };
  if (outcome === 'answered') return { kind: 'failed', detail: `the API server answered ${status} to /version` };
  if (outcome === 'given up') return { kind: 'failed', detail: `no answer to /version within ${timeoutMs} ms` };
  if (FULL.has(outcome.code)) return { kind: 'saturated' };
  if (GONE.has(outcome.code)) return undefined;
  return { kind: 'failed', detail: outcome.detail === '' ? outcome.message : outcome.detail };
}
