import { expect } from 'chai';
import { isKeepable } from '../../../../operator/gateway/cache/keepable.ts';

const isKept = (headers: string[], status = 200) => isKeepable({ status, headers }, 1_000);

describe('operator/gateway/cache/keepable', () => {
  it('keeps what the API server sends: it says no-cache and private of everything', () => {
    expect(isKept(['Cache-Control', 'no-cache, private', 'Vary', 'Accept', 'Etag', '"e"'])).to.equal(true);
    expect(isKept(['Vary', 'Accept-Encoding, accept', 'Content-Length', '1000'])).to.equal(true);
  });

  it('keeps nothing but 200', () => {
    for (const status of [201, 203, 204, 206, 301, 304, 401, 403, 404, 500, 503]) {
      expect(isKept([], status), String(status)).to.equal(false);
    }
  });

  it('keeps no secrets, no other variants, nothing too large', () => {
    expect(isKept(['Cache-Control', 'private', 'cache-control', 'max-age=1, NO-STORE'])).to.equal(false);
    expect(isKept(['Set-Cookie', 'a=b'])).to.equal(false);
    expect(isKept(['Vary', '*'])).to.equal(false);
    expect(isKept(['Vary', 'Accept', 'Vary', 'Origin'])).to.equal(false);
    expect(isKept(['Content-Length', '1001'])).to.equal(false);
  });
});
