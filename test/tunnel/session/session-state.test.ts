import { expect } from 'chai';
import { advanceSession, type SessionEvent, type SessionState } from '../../../tunnel/session/session-state.ts';
import { describeStateTable } from '../../support/state-table.ts';

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

  describeStateTable<SessionState, SessionEvent>({
    states: ['greeting', 'open', 'draining', 'closed'],
    events: ['greeted', 'goaway', 'closed'],
    initial: 'greeting',
    terminal: ['closed'],
    advance: advanceSession,
  });
});
