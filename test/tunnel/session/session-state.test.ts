import { expect } from 'chai';
import { advanceSession, type SessionEvent, type SessionState } from '../../../tunnel/session/session-state.ts';

const TABLE: readonly (readonly [SessionState, SessionEvent, SessionState | undefined])[] = [
  ['greeting', 'greeted', 'open'],
  ['greeting', 'goaway', undefined],
  ['greeting', 'closed', 'closed'],
  ['open', 'greeted', undefined],
  ['open', 'goaway', 'draining'],
  ['open', 'closed', 'closed'],
  ['draining', 'greeted', undefined],
  ['draining', 'goaway', 'draining'],
  ['draining', 'closed', 'closed'],
  ['closed', 'greeted', undefined],
  ['closed', 'goaway', undefined],
  ['closed', 'closed', undefined],
];

describe('tunnel/session/session-state', () => {
  for (const [state, event, next] of TABLE) {
    it(`${state} on ${event} ${next === undefined ? 'is illegal' : `becomes ${next}`}`, () => {
      expect(advanceSession(state, event)).to.equal(next);
    });
  }
});
