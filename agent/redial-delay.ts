import { fullJitterMs } from '../process/backoff.ts';

/** A session that lived this long was a good one: the next failure counts as the first. */
export const STABLE_MS = 60_000;
/** A rejected agent asks again after one to two of these. */
const REJECTED_MS = 60_000;
/** The first rejections may only mean that the gateway has not yet heard of a new token. */
const QUICK_REJECTIONS = 3;

export interface RedialFacts {
  /** Failures since the last stable session; 1 for the first. */
  readonly attempt: number;
  /** How many of them in a row were rejections: 401, 403, 404, or a revoked session. 0 if the last was none. */
  readonly rejections: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** 0 <= random < 1. */
  readonly random: number;
}

/** How long to wait before the next attempt, and whether only a new credential can help before that. */
export function redialDelay({ attempt, rejections, minMs, maxMs, random }: RedialFacts) {
  if (rejections > QUICK_REJECTIONS) {
    return { delayMs: Math.floor(REJECTED_MS * (1 + random)), needsCredential: true };
  }
  return { delayMs: fullJitterMs({ attempt, minMs, maxMs, random }), needsCredential: false };
}
