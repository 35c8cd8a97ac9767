import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { type AgentKey, mintAgentToken } from '../../../../crds/agent-token.ts';
import { provenKey } from '../../../../operator/gateway/sessions/agent-token.ts';

const minted = mintAgentToken(randomBytes);
const key: AgentKey = {
  keyId: minted.keyId,
  sha256: minted.sha256,
  createdAt: '2026-01-01T00:00:00Z',
  tunnel: 'c1',
  tunnelUid: 'u',
};

describe('operator/gateway/sessions/agent-token', () => {
  it('finds the key that a token proves', () => {
    expect(provenKey(minted.token, (keyId) => (keyId === key.keyId ? key : undefined))).to.equal(key);
  });

  it('finds none for a key id that nobody keeps', () => {
    expect(provenKey(minted.token, () => undefined)).to.equal(undefined);
  });

  it('finds none for another secret under a known key id', () => {
    const other = mintAgentToken(randomBytes);
    const forged = `ct1.${key.keyId}.${other.token.split('.')[2]}`;
    expect(provenKey(forged, () => key)).to.equal(undefined);
  });

  it('finds none for a key whose hash is damaged', () => {
    for (const sha256 of ['', '00', 'zz'.repeat(32), minted.sha256.slice(2), `${minted.sha256}00`]) {
      expect(
        provenKey(minted.token, () => ({ ...key, sha256 })),
        sha256,
      ).to.equal(undefined);
    }
  });

  for (const text of [
    '',
    'ct1',
    'ct1..',
    minted.token.slice(1),
    `${minted.token}A`,
    `${minted.token}\n`,
    minted.token.toUpperCase(),
    `ct2${minted.token.slice(3)}`,
  ]) {
    it(`asks nobody about ${JSON.stringify(text.slice(0, 20))}`, () => {
      let asked = 0;
      const find = () => {
        asked += 1;
        return key;
      };
      expect(provenKey(text, find)).to.equal(undefined);
      expect(asked).to.equal(0);
    });
  }
});
