/**
 * Whether requests go into a tunnel.
 *
 *   closed ── tripped ──► open ── elapsed ──► halfOpen ── probeBegan ──► probing ── probeSucceeded ──► closed
 *                          ▲                     ▲                         │ │
 *                          └──── probeFailed ────┼─────────────────────────┘ │
 *                                                └────── probeVanished ──────┘
 */
export const CIRCUIT_STATES = ['closed', 'open', 'halfOpen', 'probing'] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

export const CIRCUIT_EVENTS = [
  /** As many failures in a row as the spec allows. */
  'tripped',
  /** It was open for long enough. */
  'elapsed',
  /** One request goes, to see whether the way holds. */
  'probeBegan',
  'probeSucceeded',
  'probeFailed',
  /** It ended without telling anything of the way. */
  'probeVanished',
] as const;
export type CircuitEvent = (typeof CIRCUIT_EVENTS)[number];

const TABLE: Readonly<Record<CircuitState, Partial<Record<CircuitEvent, CircuitState>>>> = {
  closed: { tripped: 'open' },
  open: { elapsed: 'halfOpen' },
  halfOpen: { probeBegan: 'probing' },
  probing: { probeSucceeded: 'closed', probeFailed: 'open', probeVanished: 'halfOpen' },
};

/** The next state; undefined for what cannot happen in this one. */
export function advance(state: CircuitState, event: CircuitEvent): CircuitState | undefined {
  return TABLE[state][event];
}
