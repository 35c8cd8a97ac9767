import { expect } from 'chai';
import { rowOf } from '../../../../operator/gateway/front/fault.ts';
import { isRead, strangeAnswer, tunnelErrorOf } from '../../../../operator/gateway/sessions/stream-fault.ts';
import { type Execution, StreamError } from '../../../../tunnel/errors.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';

const of = (code: number, execution: Execution, method = 'POST', detail = 'why') =>
  tunnelErrorOf(new StreamError({ streamId: 1, code, origin: 'remote', execution, detail }), {
    tunnel: 'c1',
    path: '/api',
    isRead: isRead(method),
  });

describe('operator/gateway/sessions/stream-fault', () => {
  const ROWS: readonly [string, number, Execution, string, number, string, number | undefined][] = [
    [
      'an upstream that was not reached',
      ErrorCode.UpstreamUnreachable,
      'not-executed',
      'POST',
      503,
      'upstream_unreachable',
      2,
    ],
    ['a request that policy denied', ErrorCode.PolicyDenied, 'not-executed', 'POST', 403, 'policy_denied', undefined],
    ['an upstream that was too slow', ErrorCode.UpstreamTimeout, 'unknown', 'GET', 504, 'upstream_timeout', undefined],
    ['an upstream that broke HTTP', ErrorCode.UpstreamProtocol, 'unknown', 'GET', 502, 'upstream_protocol', undefined],
    ['a deadline', ErrorCode.Deadline, 'unknown', 'POST', 504, 'request_timeout', undefined],
    ['an answer that nobody read', ErrorCode.Backpressure, 'unknown', 'GET', 504, 'backpressure_timeout', undefined],
    ['a request that the agent had no room for', ErrorCode.Overload, 'not-executed', 'POST', 429, 'stream_limit', 1],
    ['an upstream that closed under a read', ErrorCode.UpstreamReset, 'unknown', 'GET', 503, 'upstream_reset', 1],
    ['an agent that leaves', ErrorCode.Draining, 'not-executed', 'DELETE', 503, 'not_executed', 1],
    ['a session lost before OPEN was written', ErrorCode.SessionLost, 'not-executed', 'POST', 503, 'not_executed', 1],
    ['a session lost under a read', ErrorCode.SessionLost, 'unknown', 'GET', 503, 'session_lost', 1],
    ['a session lost under HEAD', ErrorCode.SessionLost, 'unknown', 'HEAD', 503, 'session_lost', 1],
    ['a session lost under a write', ErrorCode.SessionLost, 'unknown', 'PATCH', 504, 'session_lost', undefined],
    [
      'an upstream that closed under a write',
      ErrorCode.UpstreamReset,
      'unknown',
      'POST',
      504,
      'upstream_reset',
      undefined,
    ],
    [
      'a write reset as unreachable, which proves nothing',
      ErrorCode.UpstreamUnreachable,
      'unknown',
      'POST',
      504,
      'session_lost',
      undefined,
    ],
    ['a code of a newer agent', 99, 'unknown', 'POST', 504, 'session_lost', undefined],
  ];
  for (const [what, code, execution, method, status, cause, retryAfterSeconds] of ROWS) {
    it(`answers ${status} ${cause} to ${what}`, () => {
      const error = of(code, execution, method);
      expect(error).to.include({ code: cause, tunnel: 'c1', path: '/api' });
      expect(rowOf(error.kind).status).to.equal(status);
      expect(rowOf(error.kind).retryAfterSeconds).to.equal(retryAfterSeconds);
      expect(error.retryable).to.equal(execution === 'not-executed' || method === 'GET' || method === 'HEAD');
      expect(error.message).to.contain('why');
      expect(error.cause).to.be.instanceOf(StreamError);
    });
  }

  it('promises nothing for a write that may have run, whatever the code', () => {
    for (const code of [...Object.values(ErrorCode), 77, 2 ** 32 - 1]) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const { kind, retryable } = of(code, 'unknown', method);
        expect(rowOf(kind).retryAfterSeconds, `${method} ${code}`).to.equal(undefined);
        expect(retryable, `${method} ${code}`).to.equal(false);
      }
    }
  });

  it('says that a write may have been executed', () => {
    expect(of(ErrorCode.SessionLost, 'unknown').message).to.equal(
      'tunnel "c1" was lost while the request ran; the request may have been executed: why',
    );
    for (const code of [ErrorCode.UpstreamTimeout, ErrorCode.UpstreamProtocol, ErrorCode.Deadline]) {
      expect(of(code, 'unknown').message, `${code}`).to.match(
        /"c1".*; the request may have been executed: why|"c1": why; the/,
      );
      expect(of(code, 'unknown', 'GET').message, `${code}`).to.not.contain('executed');
      expect(of(code, 'not-executed').message, `${code}`).to.not.contain('executed');
    }
    expect(of(ErrorCode.UpstreamReset, 'unknown').message).to.contain('the request may have been executed: why');
    expect(of(ErrorCode.UpstreamReset, 'unknown', 'GET').message).to.equal(
      'the API server behind tunnel "c1" broke the connection: why',
    );
  });

  it('says of what went directly that the gateway asked, with the same kinds', () => {
    const sent = { tunnel: 'c1', path: '/api', isRead: false, isDirect: true };
    for (const code of [...Object.values(ErrorCode), 77]) {
      for (const execution of ['unknown', 'not-executed'] as const) {
        const error = new StreamError({ streamId: 0, code, origin: 'remote', execution, detail: 'why' });
        const told = tunnelErrorOf(error, sent);
        expect(told).to.include({ kind: tunnelErrorOf(error, { ...sent, isDirect: false }).kind, hop: 'gateway' });
        expect(told.message).to.contain('the fallback of tunnel "c1"').and.not.contain('agent');
      }
    }
    expect(strangeAnswer(sent, 'x')).to.include({ kind: 'upstream_protocol', hop: 'gateway' });
  });

  it('names the code when the agent gave no reason', () => {
    expect(of(ErrorCode.Overload, 'not-executed', 'GET', '').message).to.contain('OVERLOAD');
  });

  it('calls what no API server answers a bad gateway', () => {
    const sent = { tunnel: 'c1', path: '/api', isRead: false };
    expect(strangeAnswer(sent, 'x')).to.include({ kind: 'upstream_protocol', tunnel: 'c1', retryable: false });
    expect(strangeAnswer({ ...sent, isRead: true }, 'x').retryable).to.equal(true);
  });

  it('calls a GET or HEAD a read, and nothing else; an upgrade never', () => {
    for (const method of ['GET', 'HEAD']) expect([isRead(method), isRead(method, true)]).to.deep.equal([true, false]);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'get']) expect(isRead(method)).to.equal(false);
  });
});
