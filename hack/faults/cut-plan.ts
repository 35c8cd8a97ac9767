import { pick, type Random } from '../fuzz/random.ts';

/** How one connection between an agent and its gateway is to end. */
export interface CutPlan {
  /** Whose bytes are counted. */
  readonly from: 'agent' | 'gateway';
  /** So many of them pass; the cut is before the next. */
  readonly afterBytes: number;
  /**
   * fin, rst: both sides are told so · half: the agent is reset, the gateway is told nothing, so that the agent is back
   * before its old session is known to be lost.
   */
  readonly how: 'fin' | 'rst' | 'half';
  /** Which side is told first, and how much later the other. */
  readonly isAgentFirst: boolean;
  readonly lagMs: number;
  /** When it is cut though not so many bytes came: so long after it has greeted, or before it has. */
  readonly greetedMs: number;
  readonly ungreetedMs: number;
}

/** TLS, the upgrade and both greetings are over after about so many bytes. */
export const GREETING_BYTES = 4_000;
const MOST_BYTES = 250_000;
const GREETED_MS = 1_000;
/** On a machine with much to do TLS alone takes long. */
const UNGREETED_MS = 5_000;
const HOWS: readonly CutPlan['how'][] = ['fin', 'fin', 'fin', 'fin', 'rst', 'rst', 'rst', 'rst', 'half', 'half'];

/**
 * A seventh of the cuts are in TLS and greetings, the others anywhere in what follows: evenly by the logarithm, so that
 * young sessions are hit as often as old ones. Pure.
 */
export function drawCut(random: Random): CutPlan {
  const isInGreeting = random(7) === 0;
  const from = random(2) === 0 ? 'agent' : 'gateway';
  const share = random(1_000_000) / 1_000_000;
  return {
    from,
    afterBytes: isInGreeting
      ? 1 + random(GREETING_BYTES)
      : Math.floor(GREETING_BYTES * (MOST_BYTES / GREETING_BYTES) ** share),
    how: pick(HOWS, random),
    isAgentFirst: random(2) === 0,
    lagMs: random(3) === 0 ? random(80) : 0,
    greetedMs: 150 + random(GREETED_MS),
    ungreetedMs: UNGREETED_MS,
  };
}
