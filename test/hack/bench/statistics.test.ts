import { expect } from 'chai';
import { atMost, eachRatio, interleave, middleOf, ratioOf } from '../../../hack/bench/scenario.ts';
import { median, pairRatios, quantile } from '../../../hack/bench/statistics.ts';

describe('hack/bench/statistics', () => {
  it('quantile: the value that a share of all does not exceed', () => {
    const values = [5, 1, 4, 2, 3];
    expect([0, 0.2, 0.5, 0.99, 1].map((share) => quantile(values, share))).to.deep.equal([1, 1, 3, 5, 5]);
    expect(() => quantile([], 0.5)).to.throw(RangeError);
  });

  it('median: the middle, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).to.equal(5);
    expect(median([9, 1, 5, 7])).to.equal(6);
    expect(() => median([])).to.throw(RangeError);
  });

  it('pairRatios: element by element', () => {
    expect(pairRatios([2, 9], [1, 3])).to.deep.equal([2, 3]);
    expect(() => pairRatios([1], [])).to.throw(RangeError);
  });
});

describe('hack/bench/scenario', () => {
  it('interleaves contestants and compares them round by round', async () => {
    const order: string[] = [];
    const times = [4, 2, 1, 30, 10, 3, 6, 2, 2];
    const contestant = (name: string) => ({
      name,
      run: async () => {
        order.push(name);
        return { ms: times[order.length - 1] ?? 0 };
      },
    });
    const rounds = await interleave(['a', 'b', 'c'].map(contestant), 3, () => {});
    expect(order.join(' ')).to.equal('a b c a b c a b c');
    expect(
      [ratioOf(rounds, 'ms'), ratioOf(rounds, 'ms', 2)],
      'the first over the second, and over the third',
    ).to.deep.equal([3, 4]);
    expect(eachRatio(rounds, 'ms', 2)).to.equal('4.00 10.00 3.00');
    expect(middleOf(rounds, 1, 'ms')).to.equal(2);
  });

  it('meets a goal up to and including it; what could not be measured does not', () => {
    expect([1.4, 1.5, 1.6, Number.NaN].map((ratio) => atMost('', ratio, 1.5).met)).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });
});
