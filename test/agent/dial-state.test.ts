import { expect } from 'chai';
import { advanceDial, DIAL_TRANSITIONS, type DialEvent, type DialState } from '../../agent/dial-state.ts';

const STATES: readonly DialState[] = ['idle', 'connecting', 'handshaking', 'ready', 'draining', 'backoff'];
const EVENTS: readonly DialEvent[] = [
  ...(['start', 'opened', 'failed', 'welcomed', 'ended', 'leaving', 'due', 'stop', 'drained'] as const),
];

/** Every legal cell; all others are news of something given up. */
const TABLE: Readonly<Record<string, DialState>> = {
  'idle start': 'connecting',
  'idle stop': 'draining',
  'connecting opened': 'handshaking',
  'connecting failed': 'backoff',
  'connecting stop': 'draining',
  'handshaking welcomed': 'ready',
  'handshaking ended': 'backoff',
  'handshaking stop': 'draining',
  'ready ended': 'backoff',
  'ready leaving': 'connecting',
  'ready stop': 'draining',
  'backoff due': 'connecting',
  'backoff stop': 'draining',
  'draining drained': 'idle',
};

describe('agent/dial-state', () => {
  for (const state of STATES) {
    for (const event of EVENTS) {
      const next = TABLE[`${state} ${event}`];
      it(`${state} + ${event} is ${next ?? 'illegal'}`, () => expect(advanceDial(state, event)).to.equal(next));
    }
  }

  it('dials on entering connecting, which no event of a running attempt does again', () => {
    const intoConnecting = STATES.flatMap((state) =>
      Object.entries(DIAL_TRANSITIONS[state])
        .filter(([, next]) => next === 'connecting')
        .map(([event]) => `${state} ${event}`),
    );
    expect(intoConnecting).to.deep.equal(['idle start', 'ready leaving', 'backoff due']);
  });

  it('stops from every state that is not stopping', () => {
    for (const state of STATES.filter((each) => each !== 'draining')) {
      expect(advanceDial(state, 'stop')).to.equal('draining');
    }
  });
});
