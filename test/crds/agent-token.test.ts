import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import {
  type AgentKey,
  decodeAgentKeys,
  encodeAgentKeys,
  mintAgentToken,
  parseAgentToken,
  tokenMatches,
} from '../../crds/agent-token.ts';

const key: AgentKey = {
  keyId: 'abcdefghij',
  sha256: 'a'.repeat(64),
  createdAt: '2026-01-01T00:00:00Z',
  tunnel: 'prod',
  tunnelUid: 'uid-1',
};

describe('crds/agent-token', () => {
  it('mints tokens of the documented form, each another', () => {
    const [a, b] = [mintAgentToken(randomBytes), mintAgentToken(randomBytes)];
    expect(a.token).to.match(/^ct1\.[a-z2-7]{10}\.[A-Za-z0-9_-]{43}$/);
    expect(a.token).not.to.equal(b.token);
    expect(parseAgentToken(a.token)).to.deep.equal({ keyId: a.keyId });
  });

  it('fits a token to its own hash only', () => {
    const [a, b] = [mintAgentToken(randomBytes), mintAgentToken(randomBytes)];
    expect(tokenMatches(a.token, a.sha256)).to.equal(true);
    expect(tokenMatches(a.token, b.sha256)).to.equal(false);
    expect(tokenMatches(a.token, 'ab')).to.equal(false);
    expect(tokenMatches(a.token, 'no hex')).to.equal(false);
  });

  for (const text of [
    '',
    'ct1',
    'ct1.abcdefghij.short',
    `ct2.abcdefghij.${'x'.repeat(43)}`,
    `ct1.ABCDEFGHIJ.${'x'.repeat(43)}`,
    `ct1.abcdefghij.${'x'.repeat(43)}\n`,
  ]) {
    it(`takes ${JSON.stringify(text)} for no token`, () => expect(parseAgentToken(text)).to.equal(undefined));
  }

  it('keeps keys in Secret data, oldest first', () => {
    const older = { ...key, keyId: 'zzzzzzzzzz', createdAt: '2025-01-01T00:00:00Z' };
    expect(decodeAgentKeys(encodeAgentKeys([key, older]))).to.deep.equal([older, key]);
  });

  it('puts nothing of the token into the Secret but its hash', () => {
    const { token, keyId, sha256 } = mintAgentToken(randomBytes);
    const data = JSON.stringify(encodeAgentKeys([{ ...key, keyId, sha256 }]));
    expect(data).not.to.contain(token.split('.')[2]);
  });

  it('leaves out damaged entries', () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const data = { ...encodeAgentKeys([key]), a: base64('no json'), b: base64('{}'), c: base64('null'), d: '%%' };
    expect(decodeAgentKeys(data)).to.deep.equal([key]);
    expect(decodeAgentKeys(undefined)).to.deep.equal([]);
  });
});
