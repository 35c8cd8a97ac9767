import { expect } from 'chai';
import { requestTimeoutMs } from '../../tunnel/request-timeout.ts';

/** As Go's time.ParseDuration and the API server's WithRequestDeadline take them. */
const TAKEN: readonly [query: string, ms: number | undefined][] = [
  ['', undefined],
  ['?', undefined],
  ['?limit=5', undefined],
  ['?timeout=', undefined],
  ['?timeout=30s', 30_000],
  ['?limit=1&timeout=32s', 32_000],
  ['?timeout=1m30s', 90_000],
  ['?timeout=1h', 3_600_000],
  ['?timeout=1.5s', 1_500],
  ['?timeout=.5s', 500],
  ['?timeout=1.s', 1_000],
  ['?timeout=250ms', 250],
  ['?timeout=100%C2%B5s', 0.1],
  ['?timeout=%2B2s', 2_000],
  // Go's form decoding: a plus is a space.
  ['?timeout=1s&timeout=2s', 1_000],
  // No limit of the client's: the server's holds.
  ['?timeout=0', undefined],
  ['?timeout=0s', undefined],
  ['?timeout=-5s', undefined],
  // Pairs that Go's net/url does not see.
  ['?timeout=5s;x', undefined],
  ['?timeout=%zz', undefined],
];

const REFUSED = ['30', '1', 'abc', '5x', '5 s', 's', '.s', '-', '1s2', '1e3s', '0x5s', '+2s', '9999999h', '１s'];

describe('tunnel/request-timeout', () => {
  for (const [query, ms] of TAKEN) {
    it(`takes ${JSON.stringify(query)} for ${ms} ms`, () => {
      const taken = requestTimeoutMs(`/api/v1/pods${query}`);
      if (ms === undefined) expect(taken).to.equal(undefined);
      else expect(taken).to.be.closeTo(ms, 1e-6);
    });
  }

  for (const text of REFUSED) {
    it(`refuses ${JSON.stringify(text)} in the words of the API server`, () => {
      const sentence = requestTimeoutMs(`/api/v1/pods?timeout=${text}`);
      expect(sentence).to.match(/^invalid timeout specified in the request URL - time: invalid duration ".*"$/);
    });
  }

  it('is quick about long ones', () => {
    expect(requestTimeoutMs(`/api?timeout=${'1s'.repeat(100_000)}`)).to.be.a('string');
  });
});
