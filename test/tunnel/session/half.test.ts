import { expect } from 'chai';
import { advance, type Half, type HalfEvent } from '../../../tunnel/session/half.ts';
import { describeStateTable } from '../../support/state-table.ts';

const TABLE: readonly (readonly [Half, HalfEvent, Half | undefined])[] = [
  ['open', 'data', 'open'],
  ['open', 'end', 'ended'],
  ['open', 'reset', 'reset'],
  ['ended', 'data', undefined],
  ['ended', 'end', undefined],
  ['ended', 'reset', 'reset'],
  ['reset', 'data', undefined],
  ['reset', 'end', undefined],
  ['reset', 'reset', 'reset'],
];

describe('tunnel/session/half', () => {
  for (const [half, event, next] of TABLE) {
    it(`${half} on ${event} ${next === undefined ? 'is illegal' : `becomes ${next}`}`, () => {
      expect(advance(half, event)).to.equal(next);
    });
  }

  describeStateTable<Half, HalfEvent>({
    states: ['open', 'ended', 'reset'],
    events: ['data', 'end', 'reset'],
    initial: 'open',
    terminal: ['reset'],
    advance,
  });
});
