import { expect } from 'chai';
import { ProtocolError } from '../../../tunnel/errors.ts';
import { choose } from '../../../tunnel/session/settings.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';

const HELLO = { features: [], instanceId: 'i', agentVersion: '1', slots: { ordinary: 0, longRunning: 0 } };

describe('tunnel/session/settings', () => {
  it('chooses the first version of the agent that the gateway speaks, and the features both know', () => {
    expect(choose({ ...HELLO, versions: [3, 2, 1], features: ['unheard-of'] })).to.deep.equal({
      version: 1,
      features: [],
    });
  });

  it('names a feature once, however often the agent offers it: WELCOME has a bound', () => {
    const features = Array(300).fill('deflate');
    expect(choose({ ...HELLO, versions: [1], features }).features).to.deep.equal(['deflate']);
  });

  for (const versions of [[], [0], [2, 3]]) {
    it(`finds nothing in common with an agent that speaks [${versions.join(', ')}]`, () => {
      expect(() => choose({ ...HELLO, versions }))
        .to.throw(ProtocolError)
        .with.property('code', ErrorCode.Version);
    });
  }
});
