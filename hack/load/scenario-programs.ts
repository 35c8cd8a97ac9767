import { CLUSTERTUNNEL, GATEWAY } from './programs.ts';

/** Every process of a load scenario. */
export const PROGRAMS = {
  clustertunnel: CLUSTERTUNNEL,
  gateway: GATEWAY,
  upstream: 'hack/load/workers/upstream.ts',
  askers: 'hack/load/workers/askers.ts',
  heap: 'hack/load/workers/heap.ts',
} as const;

/** Where each of them is, as plain JavaScript. */
export type Programs = Readonly<Record<keyof typeof PROGRAMS, string>>;
