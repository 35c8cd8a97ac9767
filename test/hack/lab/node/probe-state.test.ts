import { expect } from 'chai';
import { ProbeState } from '../../../../hack/lab/node/probe-state.ts';

describe('hack/lab/node/probe-state', () => {
  const verdicts = (thresholds: object, answers: string): unknown[] => {
    const state = new ProbeState(thresholds);
    return [...answers].map((answer) => state.record(answer === '+'));
  };
  const cases: [string, object, string, unknown[]][] = [
    ['one success is enough, three failures are needed', {}, '+---', ['passing', undefined, undefined, 'failing']],
    [
      'a success between failures starts the count again',
      {},
      '--+--',
      [undefined, undefined, 'passing', undefined, undefined],
    ],
    [
      'a failure between successes as well',
      { successThreshold: 2 },
      '+-++',
      [undefined, undefined, undefined, 'passing'],
    ],
    ['one failure can be enough', { failureThreshold: 1 }, '-', ['failing']],
    ['it goes on failing', { failureThreshold: 2 }, '---', [undefined, 'failing', 'failing']],
  ];
  for (const [sentence, thresholds, answers, expected] of cases) {
    it(sentence, () => expect(verdicts(thresholds, answers)).to.deep.equal(expected));
  }
});
