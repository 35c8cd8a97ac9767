import { expect } from 'chai';
import { repeatAfterMs } from '../../../hack/load/repeat.ts';

type Ended = Parameters<typeof repeatAfterMs>[0];

function delayOf(changes: Partial<Ended>): number | undefined {
  const answer = { attempt: 1, method: 'POST', end: 'whole', status: 503, retryAfter: '2' } as const;
  return repeatAfterMs({ ...answer, ...changes });
}

describe('hack/load/repeat', () => {
  it('repeats 429 and 5xx with a whole Retry-After, whatever the method', () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'GET']) {
      for (const status of [429, 500, 503, 504])
        expect(delayOf({ method, status }), `${method} ${status}`).to.equal(2_000);
    }
  });

  it('repeats nothing without one, nor what succeeded or was refused for good', () => {
    expect(delayOf({ retryAfter: undefined })).to.equal(undefined);
    expect(delayOf({ retryAfter: 'Fri, 31 Dec 1999 23:59:59 GMT' })).to.equal(undefined);
    expect(delayOf({ status: 200 })).to.equal(undefined);
    expect(delayOf({ status: 403 })).to.equal(undefined);
  });

  it('repeats a read whose connection broke before the head, no write', () => {
    const broke = { end: 'broken', status: undefined, retryAfter: undefined } as const;
    expect(delayOf({ ...broke, method: 'GET' })).to.equal(1_000);
    expect(delayOf(broke)).to.equal(undefined);
    expect(delayOf({ method: 'GET', end: 'cut', status: 200, retryAfter: undefined })).to.equal(undefined);
    expect(delayOf({ ...broke, method: 'GET', end: 'refused' })).to.equal(undefined);
  });

  it('gives up after ten repeats', () => {
    expect(delayOf({ attempt: 10 })).to.equal(2_000);
    expect(delayOf({ attempt: 11 })).to.equal(undefined);
  });
});
