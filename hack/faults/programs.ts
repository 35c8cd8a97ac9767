import { CLUSTERTUNNEL, GATEWAY } from '../load/programs.ts';

/** Every process of a fault run. */
export const PROGRAMS = {
  clustertunnel: CLUSTERTUNNEL,
  gateway: GATEWAY,
  upstream: 'hack/load/workers/upstream.ts',
  clients: 'hack/load/workers/clients.ts',
} as const;

/** Where each of them is, as plain JavaScript. */
export type Programs = Readonly<Record<keyof typeof PROGRAMS, string>>;
