import { expect } from 'chai';
import { errorAnswer, statusBody } from '../../../../operator/gateway/front/status.ts';
import { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';
import { traceOf } from '../../../../process/trace.ts';

const TRACE = traceOf(['x-trace-id', 'trace-1']);

describe('operator/gateway/front/status', () => {
  it('names no tunnel unless it is told to, though the error knows it', () => {
    const error = new TunnelError('forbidden', 'x', { tunnel: 'c1', path: '/api' });
    expect(statusBody(error, 't', undefined).details).to.not.have.property('name');
    expect(statusBody(error, 't', 'c1').details).to.include({ name: 'c1' });
  });

  it('takes another Retry-After than the row’s, in the body and in the header', () => {
    const { headers, body } = errorAnswer(
      new TunnelError('watch_held', 'x', { retryAfterSeconds: 7 }),
      TRACE,
      undefined,
    );
    expect(JSON.parse(body).details.retryAfterSeconds).to.equal(7);
    expect(headers.slice(-2)).to.deep.equal(['retry-after', '7']);
  });

  it('says how long its body is, in bytes, and which request it answers', () => {
    const { status, headers, body, isLast } = errorAnswer(new TunnelError('not_found', 'no tunnel “c1”'), TRACE, 'c1');
    expect(headers).to.deep.equal([
      'content-type',
      'application/json',
      'content-length',
      String(Buffer.byteLength(body)),
      'x-content-type-options',
      'nosniff',
      ...['x-trace-id', 'trace-1', 'traceparent', TRACE.parent],
    ]);
    expect({ status, isLast }).to.deep.equal({ status: 404, isLast: false });
    expect(body.endsWith('}\n')).to.equal(true);
  });

  it('says a text as it is, with the trace id', () => {
    const { headers, body } = errorAnswer(new TunnelError('forbidden', 'no', { isText: true }), TRACE, undefined);
    expect(headers).to.include('text/plain; charset=utf-8');
    expect(body).to.equal('no (trace trace-1)\n');
  });

  for (const path of [
    '/api',
    '/api/v1',
    '/apis',
    '/apis/apps/v1',
    '/openapi/v3',
    '/openapi/v3/apis/apps/v1',
    '/version',
  ]) {
    it(`warns beside the Status on ${path}: client-go shows no message of it there`, () => {
      const error = new TunnelError('cluster_offline', 'tunnel "c1" – \\ away\nfor long', { tunnel: 'c1', path });
      const { headers, body } = errorAnswer(error, TRACE, 'c1');
      expect(headers.slice(-2)).to.deep.equal(['warning', '299 - "tunnel \\"c1\\" ? \\\\ away?for long"']);
      expect(JSON.parse(body).kind).to.equal('Status');
    });
  }

  it('warns nowhere else, and not beside a text', () => {
    for (const path of ['/', '/api/v1/pods', '/apis/apps/v1/deployments', '/healthz', undefined]) {
      const error = new TunnelError('cluster_offline', 'x', path === undefined ? {} : { path });
      expect(errorAnswer(error, TRACE, undefined).headers).to.not.include('warning');
    }
    const { headers } = errorAnswer(
      new TunnelError('forbidden', 'no', { isText: true, path: '/api' }),
      TRACE,
      undefined,
    );
    expect(headers).to.not.include('warning');
  });

  it('says nothing of what is underneath: causes may hold what no client should see', () => {
    const error = new TunnelError('auth_unavailable', 'the hub cannot authenticate requests now', {
      cause: new Error('connect ECONNREFUSED 10.0.0.1:443'),
    });
    expect(errorAnswer(error, TRACE, undefined).body).to.not.contain('10.0.0.1');
  });

  it('asks the connection to end with the answer of a draining gateway', () => {
    expect(errorAnswer(new TunnelError('draining', 'x'), TRACE, undefined).isLast).to.equal(true);
  });
});
