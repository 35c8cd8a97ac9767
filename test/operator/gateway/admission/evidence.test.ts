import { expect } from 'chai';
import { evidenceOf } from '../../../../operator/gateway/admission/evidence.ts';
import { StreamError } from '../../../../tunnel/errors.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';

describe('operator/gateway/admission/evidence', () => {
  const told = (code: number, detail = 'why') =>
    evidenceOf(new StreamError({ streamId: 1, code, origin: 'remote', execution: 'unknown', detail }));

  it('takes any answer for a way that holds', () => expect(evidenceOf('answered')).to.equal('reached'));

  it('takes an agent that cannot connect, and a lost session, for one that does not', () => {
    expect(told(ErrorCode.UpstreamUnreachable)).to.deep.equal({ isSessionLost: false, detail: 'why' });
    expect(told(ErrorCode.UpstreamUnreachable, '')).to.deep.include({ detail: 'UPSTREAM_UNREACHABLE' });
    expect(told(ErrorCode.SessionLost)).to.deep.equal({ isSessionLost: true, detail: 'the session was lost: why' });
  });

  for (const name of ['UpstreamReset', 'UpstreamTimeout', 'UpstreamProtocol', 'Backpressure'] as const) {
    it(`takes ${name} for a way that holds: the API server was spoken with`, () =>
      expect(told(ErrorCode[name])).to.equal('reached'));
  }

  for (const name of ['Overload', 'Draining', 'PolicyDenied', 'Deadline', 'Cancel', 'Internal'] as const) {
    it(`learns nothing from ${name}`, () => expect(told(ErrorCode[name])).to.equal(undefined));
  }

  it('learns nothing from a request that never left with its session: it goes to another', () => {
    const facts = { streamId: 1, code: ErrorCode.SessionLost, origin: 'remote', detail: 'the agent leaves' } as const;
    expect(evidenceOf(new StreamError({ ...facts, execution: 'not-executed' }))).to.equal(undefined);
  });

  it('learns nothing from a request that its client gave up', () => expect(evidenceOf('given up')).to.equal(undefined));
});
