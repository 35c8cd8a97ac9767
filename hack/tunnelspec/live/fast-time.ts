import type { Patch } from './patch.ts';

/** The time of the peers that tunnelspec starts itself goes this much faster: 30 s of silence are 6. */
export const SPEED = 5;

/** Of the one clock that everything of ours takes its time from. */
export const FAST_TIME: readonly Patch[] = [
  { file: 'process/clock.ts', from: 'performance.now()', to: `performance.now() * ${SPEED}` },
  {
    file: 'process/clock.ts',
    from: 'Math.min(delayMs, LONGEST_TIMER_MS)',
    to: `Math.min(delayMs, LONGEST_TIMER_MS) / ${SPEED}`,
  },
];
