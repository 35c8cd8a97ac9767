/** Where a session stands. Source: design, "Session state"; HTTP/2's GOAWAY for draining. */
export type SessionState = 'greeting' | 'open' | 'draining' | 'closed';
export type SessionEvent = 'greeted' | 'goaway' | 'closed';

const TRANSITIONS: Readonly<Record<SessionState, Partial<Record<SessionEvent, SessionState>>>> = {
  greeting: { greeted: 'open', closed: 'closed' },
  open: { goaway: 'draining', closed: 'closed' },
  draining: { goaway: 'draining', closed: 'closed' },
  closed: {},
};

/** The state after `event`; undefined if the event is illegal in this state. */
export function advanceSession(state: SessionState, event: SessionEvent): SessionState | undefined {
  return TRANSITIONS[state][event];
}
