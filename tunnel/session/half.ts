/** One direction of a stream. A stream has two, and is closed when neither is open. Source: RFC 9000 §3. */
export type Half = 'open' | 'ended' | 'reset';
export type HalfEvent = 'data' | 'end' | 'reset';

const TRANSITIONS: Readonly<Record<Half, Partial<Record<HalfEvent, Half>>>> = {
  open: { data: 'open', end: 'ended', reset: 'reset' },
  ended: { reset: 'reset' },
  reset: { reset: 'reset' },
};

/** The half after `event`; undefined if the event is illegal in this state. */
export function advance(half: Half, event: HalfEvent): Half | undefined {
  return TRANSITIONS[half][event];
}
