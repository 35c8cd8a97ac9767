import { type Clock, systemClock } from '../../../process/clock.ts';

/** Time that runs `factor` times as fast: back-offs of a minute pass while somebody watches. Dates stay as they are. */
export function scaledClock(factor: number): Clock {
  return {
    nowMs: () => systemClock.nowMs() * factor,
    date: () => systemClock.date(),
    after: (delayMs, run) => systemClock.after(delayMs / factor, run),
  };
}
