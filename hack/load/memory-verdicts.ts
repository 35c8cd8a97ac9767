import { median } from '../bench/statistics.ts';
import type { Verdict } from './check.ts';
import { verdict } from './scenario.ts';
import { slope } from './statistics.ts';

const MEBIBYTE = 1024 * 1024;
/** Of resident memory, a cycle. */
const MOST_SLOPE_BYTES = MEBIBYTE;
/** By how much a heap may differ when nobody holds anything: code that was compiled meanwhile, caches with a bound. */
const MOST_HEAP_BYTES = 2 * MEBIBYTE;
/** The first and the last of so many cycles are compared by their middle ones. */
const COMPARED = 3;

export const ROLES = ['gateway', 'agent'] as const;
export type Role = (typeof ROLES)[number];

/** What each of them holds after a cycle, in bytes, garbage collected. */
export type Held = Readonly<Record<Role, { readonly residentBytes: number; readonly heapBytes: number }>>;

/** Whether equal cycles leave equal memory behind. Pure. */
export function memoryVerdicts(cycles: readonly Held[]): Verdict[] {
  return ROLES.flatMap((role) => {
    const grows = slope(cycles.map((held) => held[role].residentBytes));
    const heaps = cycles.map((held) => held[role].heapBytes);
    const beyond = median(heaps.slice(-COMPARED)) - median(heaps.slice(0, COMPARED));
    return [
      verdict(`resident memory of the ${role} grows by at most 1 MiB a cycle`, grows <= MOST_SLOPE_BYTES, text(grows)),
      verdict(`the heap of the ${role} comes back`, beyond <= MOST_HEAP_BYTES, `${text(beyond)} more than at first`),
    ];
  });
}

function text(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(2)} MiB`;
}
