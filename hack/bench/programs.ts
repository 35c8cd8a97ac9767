import { CLUSTERTUNNEL, GATEWAY } from '../load/programs.ts';

/** Every process of a bench. */
export const PROGRAMS = {
  clustertunnel: CLUSTERTUNNEL,
  gateway: GATEWAY,
  upstream: 'hack/bench/workers/upstream.ts',
  clients: 'hack/bench/workers/clients.ts',
  crowd: 'hack/bench/workers/crowd.ts',
  dribblers: 'hack/bench/workers/dribblers.ts',
} as const;

/** Where each of them is, as plain JavaScript. */
export type Programs = Readonly<Record<keyof typeof PROGRAMS, string>>;
