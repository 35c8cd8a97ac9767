import { expect } from 'chai';
import { faultOf, strangeAnswer } from '../../../../operator/gateway/sessions/stream-fault.ts';
import { type Execution, StreamError } from '../../../../tunnel/errors.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';

const of = (code: number, execution: Execution, method = 'POST', detail = 'why') =>
  faultOf(new StreamError({ streamId: 1, code, origin: 'remote', execution, detail }), { tunnel: 'c1', method });

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
      const fault = of(code, execution, method);
      expect(fault).to.include({ status, code: cause });
      expect(fault.retryAfterSeconds).to.equal(retryAfterSeconds);
      expect(fault.message).to.contain('why');
    });
  }

  it('promises nothing for a write that may have run, whatever the code', () => {
    for (const code of [...Object.values(ErrorCode), 77, 2 ** 32 - 1]) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        expect(of(code, 'unknown', method).retryAfterSeconds, `${method} ${code}`).to.equal(undefined);
      }
    }
  });

  it('says that a write may have been executed', () => {
    expect(of(ErrorCode.SessionLost, 'unknown').message).to.equal(
      'tunnel "c1" was lost while the request ran; the request may have been executed: why',
    );
    expect(of(ErrorCode.UpstreamReset, 'unknown').message).to.contain('the request may have been executed: why');
    expect(of(ErrorCode.UpstreamReset, 'unknown', 'GET').message).to.equal(
      'the API server behind tunnel "c1" broke the connection: why',
    );
  });

  it('names the code when the agent gave no reason', () => {
    expect(of(ErrorCode.Overload, 'not-executed', 'GET', '').message).to.contain('OVERLOAD');
  });

  it('calls what no API server answers a bad gateway', () => {
    expect(strangeAnswer('c1', 'x')).to.include({ status: 502, code: 'upstream_protocol' });
  });
});
