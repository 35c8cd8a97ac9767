import { expect } from 'chai';
import { type FallbackTarget, isSameTarget } from '../../../../operator/gateway/fallback/target.ts';

const target: FallbackTarget = {
  server: 'https://203.0.113.7:6443',
  caPem: 'ca',
  tlsServerName: 'name',
  token: 'token',
  certificatePem: 'cert',
  keyPem: 'key',
};

describe('operator/gateway/fallback/target', () => {
  it('is the same when every fact is', () => expect(isSameTarget(target, { ...target })).to.equal(true));
  for (const fact of Object.keys(target) as (keyof FallbackTarget)[]) {
    it(`is another when ${fact} is`, () => {
      expect(isSameTarget(target, { ...target, [fact]: fact === 'server' ? 'https://b' : undefined })).to.equal(false);
    });
  }
});
