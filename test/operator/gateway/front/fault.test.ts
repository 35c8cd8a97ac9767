import { expect } from 'chai';
import { FAULT_KINDS, type FaultKind, rowOf } from '../../../../operator/gateway/front/fault.ts';
import { statusBody } from '../../../../operator/gateway/front/status.ts';
import { TunnelError } from '../../../../operator/gateway/front/tunnel-error.ts';

/** design.md §4, row by row: status, reason, Retry-After, cause code, hop, and whether it may be sent again. */
const TABLE: Readonly<Record<FaultKind, readonly [number, string, number | undefined, string, string, boolean]>> = {
  unauthorized: [401, 'Unauthorized', undefined, 'unauthorized', 'gateway', true],
  forbidden: [403, 'Forbidden', undefined, 'forbidden', 'gateway', true],
  not_found: [404, 'NotFound', undefined, 'not_found', 'gateway', true],
  bad_request: [400, 'BadRequest', undefined, 'bad_request', 'gateway', true],
  malformed: [400, 'BadRequest', undefined, 'bad_request', 'gateway', true],
  method_not_allowed: [405, 'MethodNotAllowed', undefined, 'method_not_allowed', 'gateway', true],
  headers_too_large: [431, 'BadRequest', undefined, 'headers_too_large', 'gateway', true],
  auth_unavailable: [503, 'ServiceUnavailable', 2, 'auth_unavailable', 'gateway', true],
  cluster_reconnecting: [503, 'ServiceUnavailable', 5, 'cluster_reconnecting', 'tunnel', true],
  cluster_offline: [503, 'ServiceUnavailable', undefined, 'cluster_offline', 'tunnel', true],
  watch_held: [429, 'TooManyRequests', 2, 'cluster_reconnecting', 'tunnel', true],
  queue_full: [429, 'TooManyRequests', 1, 'queue_full', 'gateway', true],
  queue_timeout: [429, 'TooManyRequests', 1, 'queue_timeout', 'gateway', true],
  rate_limited: [429, 'TooManyRequests', 1, 'rate_limited', 'gateway', true],
  session_full: [429, 'TooManyRequests', 1, 'stream_limit', 'gateway', true],
  circuit_open: [503, 'ServiceUnavailable', 1, 'circuit_open', 'gateway', true],
  circuit_open_watch: [429, 'TooManyRequests', 2, 'circuit_open', 'gateway', true],
  stream_limit: [429, 'TooManyRequests', 1, 'stream_limit', 'agent', true],
  draining: [429, 'TooManyRequests', 5, 'draining', 'gateway', true],
  upstream_unreachable: [503, 'ServiceUnavailable', 2, 'upstream_unreachable', 'upstream', true],
  not_executed: [503, 'ServiceUnavailable', 1, 'not_executed', 'agent', true],
  session_lost_read: [503, 'ServiceUnavailable', 1, 'session_lost', 'tunnel', true],
  session_lost_write: [504, 'Timeout', undefined, 'session_lost', 'tunnel', false],
  upstream_reset_read: [503, 'ServiceUnavailable', 1, 'upstream_reset', 'upstream', true],
  upstream_reset_write: [504, 'Timeout', undefined, 'upstream_reset', 'upstream', false],
  request_timeout: [504, 'Timeout', undefined, 'request_timeout', 'gateway', false],
  backpressure_timeout: [504, 'Timeout', undefined, 'backpressure_timeout', 'gateway', false],
  upstream_timeout: [504, 'Timeout', undefined, 'upstream_timeout', 'upstream', false],
  upstream_protocol: [502, 'InternalError', undefined, 'upstream_protocol', 'upstream', false],
  policy_denied: [403, 'Forbidden', undefined, 'policy_denied', 'agent', true],
  internal: [500, 'InternalError', undefined, 'internal', 'gateway', false],
};

describe('operator/gateway/front/fault', () => {
  it('has no row that the table does not know', () => {
    expect([...FAULT_KINDS].sort()).to.deep.equal(Object.keys(TABLE).sort());
  });

  for (const [kind, [status, reason, retryAfterSeconds, code, hop, retryable]] of Object.entries(TABLE)) {
    it(`${kind} is ${status} ${reason}${retryAfterSeconds === undefined ? '' : `, again in ${retryAfterSeconds} s`}`, () => {
      const error = new TunnelError(kind as FaultKind, 'what happened');
      expect(error).to.include({ code, hop, retryable });
      expect(statusBody(error, 'trace-1', 'c1')).to.deep.equal({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'what happened (trace trace-1)',
        reason,
        details: {
          name: 'c1',
          group: 'clustertunnel.io',
          kind: 'clustertunnels',
          causes: [{ reason: code, message: 'what happened', field: hop }],
          ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
        },
        code: status,
      });
    });
  }

  it('promises by Retry-After only what may be sent again', () => {
    for (const kind of FAULT_KINDS) {
      const { retryAfterSeconds, retryable } = rowOf(kind);
      if (retryAfterSeconds !== undefined) expect(retryable, kind).to.equal(true);
    }
  });
});
