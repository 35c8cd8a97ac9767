import { expect } from 'chai';
import { leaving, refusal, TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';

describe('operator/gateway/front/tunnel-error', () => {
  it('knows what failed, where, of which request, and what is underneath', () => {
    const cause = new Error('HTTP 500');
    const error = new TunnelError('session_lost_write', 'lost', { tunnel: 'c1', path: '/api', cause });
    expect(error).to.be.instanceOf(Error);
    expect(error).to.include({ kind: 'session_lost_write', code: 'session_lost', hop: 'tunnel', message: 'lost' });
    expect(error).to.include({ tunnel: 'c1', path: '/api', cause, retryable: false, name: 'TunnelError' });
  });

  it('has no cause where none was given', () => {
    expect(new TunnelError('internal', 'x')).to.not.have.property('cause');
  });

  it('believes who knows more than the kind says', () => {
    expect(new TunnelError('request_timeout', 'x', { retryable: true }).retryable).to.equal(true);
    expect(new TunnelError('bad_request', 'x', { retryable: false }).retryable).to.equal(false);
  });

  it('asks whoever comes to a draining gateway to connect again', () => {
    expect(leaving({ tunnel: 'c1' })).to.include({ code: 'draining', tunnel: 'c1', retryable: true });
  });

  for (const path of ['/api', '/api/', '/api/v1', '/apis', '/apis/apps', '/apis/apps/v1', '/apis/apps/v1/']) {
    it(`refuses discovery at ${path} as text`, () => {
      expect(refusal('no', { tunnel: 'c1', path })).to.include({ kind: 'forbidden', isText: true, tunnel: 'c1', path });
    });
  }
  for (const path of ['/', '/api/v1/pods', '/apis/apps/v1/deployments', '/version', '/apix', '/openapi/v3']) {
    it(`refuses ${path} as a Status`, () => {
      expect(refusal('no', { tunnel: 'c1', path })).to.include({ kind: 'forbidden', isText: false });
    });
  }
});
