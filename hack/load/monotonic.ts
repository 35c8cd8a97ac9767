/** Milliseconds of a clock that all processes of one machine share and that never goes back (CLOCK_MONOTONIC). */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
