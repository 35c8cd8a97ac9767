import type { FaultKind } from '../front/fault.ts';

/** The tunnel cannot carry requests: nothing of those that are told so was sent, and no limit of it was reached. */
const NOT_CARRIED: ReadonlySet<FaultKind> = new Set([
  'cluster_reconnecting',
  'watch_held',
  'cluster_offline',
  'circuit_open',
  'circuit_open_watch',
]);

export interface NotCarried {
  /** What the request would be told. */
  readonly kind: FaultKind;
  /** It was sent into a session that was lost, and nobody knows what became of it there. */
  readonly mayHaveRun: boolean;
}

/** Whether a request that the tunnel does not carry may go to the API server directly. */
export function mayGoDirectly({ kind, mayHaveRun }: NotCarried): boolean {
  return NOT_CARRIED.has(kind) && !mayHaveRun;
}
