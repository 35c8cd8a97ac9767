import { expect } from 'chai';
import { slope, spread } from '../../../hack/load/statistics.ts';

describe('hack/load/statistics', () => {
  it('slope: of the line with the least squares', () => {
    expect(slope([5, 7, 9, 11])).to.equal(2);
    expect(slope([3, 3, 3])).to.equal(0);
    expect(slope([0, 6, 0, 6]), 'ups and downs are little of it').to.be.closeTo(1.2, 1e-9);
    expect(() => slope([1])).to.throw(RangeError);
  });

  it('spread: the largest over the smallest', () => {
    expect(spread([2, 8, 4])).to.equal(4);
    expect(spread([3, 0]), 'somebody got nothing').to.equal(Number.POSITIVE_INFINITY);
    expect(() => spread([])).to.throw(RangeError);
  });
});
