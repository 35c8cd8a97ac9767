import { expect } from 'chai';
import { allSucceed } from '../../../hack/load/failures.ts';
import { fairness } from '../../../hack/load/fairness.ts';
import { inside } from '../../../hack/load/windows.ts';
import { answered } from './attempts.ts';

describe('hack/load/fairness', () => {
  const SPAN = { fromMs: 100, toMs: 200 };
  const at = (user: string, endedMs: number, answers: string | undefined = 'a 1') =>
    answered({ user, endedMs, answers });

  it("counts the target's answers of the time that was measured", () => {
    const attempts = [at('ann', 99), at('ann', 100), at('ann', 150), at('ann', 200), at('bob', 150)];
    expect(fairness(attempts, ['bob', 'ann'], SPAN)).to.deep.equal({
      counts: [
        ['ann', 2],
        ['bob', 1],
      ],
      ratio: 2,
    });
  });

  it('is infinitely unfair to a user who got nothing', () => {
    const refused = { ...at('bob', 150), answers: undefined };
    expect(fairness([at('ann', 150), refused, at('eve', 150)], ['ann', 'bob'], SPAN).ratio).to.equal(Infinity);
  });
});

describe('hack/load/failures', () => {
  it('takes nothing but a whole good answer of the target for a success', () => {
    const own = { answers: undefined, status: 503, text: '{"details":{"causes":[{"reason":"cluster_offline"}]}}' };
    const failed = [{ end: 'cut' as const }, { status: 500 }, own, { end: 'hung' as const, status: undefined }];
    const { violations } = allSucceed('all', [answered(), ...failed.map(answered)]);
    expect(violations).to.deep.equal([
      'GET a over h2: 200, cut',
      'GET a over h2: 500, whole',
      'GET a over h2: 503 cluster_offline, whole',
      'GET a over h2: no head, hung',
    ]);
  });
});

describe('hack/load/windows', () => {
  it('keeps the attempts that lie wholly in one of them', () => {
    const spans = [
      { fromMs: 0, toMs: 30 },
      { fromMs: 40, toMs: 60 },
    ];
    const attempts = [answered(), answered({ endedMs: 30 }), answered({ startedMs: 35, endedMs: 50 })];
    expect(inside([...attempts, answered({ startedMs: 25, endedMs: 45 })], spans)).to.deep.equal([attempts[0]]);
    expect(inside([answered({ startedMs: 40, endedMs: 59 })], spans)).to.have.length(1);
  });
});
