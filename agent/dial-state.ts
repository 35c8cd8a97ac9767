/**
 * Where the agent stands with its gateway. Only entering `connecting` dials, so there is never more than one attempt;
 * a session that was told to leave finishes beside the machine, while the machine already looks for its successor.
 *
 *   idle ── start ──► connecting ── opened ──► handshaking ── welcomed ──► ready
 *                        ▲   │ failed              │ ended                  │ │ ended
 *                        │   ▼                     ▼                        │ ▼
 *                        └─ due ── backoff ◄───────┴────────────────────────┼─┘
 *                        ▲                                                  │ leaving (make before break)
 *                        └──────────────────────────────────────────────────┘
 *   stop: from anywhere to draining, which dials no more; drained: back to idle
 */
export type DialState = 'idle' | 'connecting' | 'handshaking' | 'ready' | 'draining' | 'backoff';

export type DialEvent =
  /** The agent starts. */
  | 'start'
  /** The WebSocket is open. */
  | 'opened'
  /** It could not be opened. */
  | 'failed'
  /** WELCOME came. */
  | 'welcomed'
  /** The session ended, or may not be replaced at once. */
  | 'ended'
  /** The gateway leaves a session that was stable: its successor is dialled at once. */
  | 'leaving'
  /** The delay is over. */
  | 'due'
  /** The agent stops. */
  | 'stop'
  /** The last session is gone. */
  | 'drained';

export const DIAL_TRANSITIONS: Readonly<Record<DialState, Partial<Record<DialEvent, DialState>>>> = {
  idle: { start: 'connecting', stop: 'draining' },
  connecting: { opened: 'handshaking', failed: 'backoff', stop: 'draining' },
  handshaking: { welcomed: 'ready', ended: 'backoff', stop: 'draining' },
  ready: { ended: 'backoff', leaving: 'connecting', stop: 'draining' },
  backoff: { due: 'connecting', stop: 'draining' },
  draining: { drained: 'idle' },
};

/** The state after `event`; undefined if it is illegal in this state: news of something given up already. */
export function advanceDial(state: DialState, event: DialEvent): DialState | undefined {
  return DIAL_TRANSITIONS[state][event];
}
