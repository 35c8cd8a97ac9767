import { expect } from 'chai';
import { headAgain, type Kept } from '../../../../operator/gateway/cache/kept.ts';

const KEPT: Kept = {
  headers: ['Content-Type', 'application/json', 'Etag', '"e1"', 'Vary', 'Accept', 'Content-Length', '2'],
  chunks: [Buffer.from('{}')],
  atMs: 1_000,
};

describe('operator/gateway/cache/kept', () => {
  it('is given again with its age in whole seconds, to which that of before counts', () => {
    expect(headAgain(KEPT, '', 3_999)).to.deep.equal({ status: 200, headers: [...KEPT.headers, 'age', '2'] });
    const aged = { ...KEPT, headers: [...KEPT.headers, 'Age', '5'] };
    expect(headAgain(aged, '', 3_999)).to.deep.equal({ status: 200, headers: [...KEPT.headers, 'age', '7'] });
  });

  const known = ['"e1"', 'W/"e1"', '"e0", "e1"', '*'];
  for (const ifNoneMatch of known) {
    it(`is a 304 for a client that has ${ifNoneMatch}`, () => {
      const headers = ['Etag', '"e1"', 'Vary', 'Accept', 'age', '0'];
      expect(headAgain(KEPT, ifNoneMatch, 1_000)).to.deep.equal({ status: 304, headers });
    });
  }

  it('is a 200 for a client that has another one, or when it has no ETag', () => {
    expect(headAgain(KEPT, '"e2", e1', 1_000).status).to.equal(200);
    expect(headAgain({ ...KEPT, headers: [] }, '*', 1_000).status).to.equal(200);
  });
});
