import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { advanceDial, DIAL_TRANSITIONS, type DialEvent, type DialState } from '../../agent/dial-state.ts';
import { describeStateTable } from '../support/state-table.ts';

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

  it('draws every state and every event, and no other words on its arrows', () => {
    const source = readFileSync(new URL('../../agent/dial-state.ts', import.meta.url), 'utf8');
    const picture = source.slice(source.indexOf(' *\n') + 1, source.indexOf(' */')).split('stop: ')[0] ?? '';
    const words = new Set(picture.replace('(make before break)', '').match(/[a-z]+/g));
    const drawn = [...STATES, ...EVENTS].filter((word) => !['draining', 'stop', 'drained'].includes(word));
    expect([...words]).to.have.members(drawn);
  });

  describeStateTable({ states: STATES, events: EVENTS, initial: 'idle', terminal: [], advance: advanceDial });
});
