import { expect } from 'chai';
import { moreDescriptors } from '../../../hack/load/footprint.ts';

describe('hack/load/footprint', () => {
  it('names who holds more descriptors than before', () => {
    const of = (descriptors: number) => ({ bytes: 1, descriptors });
    const before = { gateway: of(20), agent: of(18) };
    expect(moreDescriptors(before, { gateway: of(22), agent: of(17) })).to.deep.equal([
      'gateway: 2 descriptors more than at the beginning',
    ]);
    expect(moreDescriptors(before, before)).to.deep.equal([]);
  });
});
