import { expect } from 'chai';
import {
  FAULT_KINDS,
  type FaultKind,
  fault,
  leaving,
  lostKind,
  refusal,
  statusBody,
} from '../../../../operator/gateway/front/fault.ts';

/** design.md §4, row by row: status, reason, Retry-After, cause code, hop. */
const TABLE: Readonly<Record<FaultKind, readonly [number, string, number | undefined, string, string]>> = {
  unauthorized: [401, 'Unauthorized', undefined, 'unauthorized', 'gateway'],
  forbidden: [403, 'Forbidden', undefined, 'forbidden', 'gateway'],
  not_found: [404, 'NotFound', undefined, 'not_found', 'gateway'],
  bad_request: [400, 'BadRequest', undefined, 'bad_request', 'gateway'],
  method_not_allowed: [405, 'MethodNotAllowed', undefined, 'method_not_allowed', 'gateway'],
  headers_too_large: [431, 'BadRequest', undefined, 'headers_too_large', 'gateway'],
  upgrade_unsupported: [501, 'NotImplemented', undefined, 'upgrade_unsupported', 'gateway'],
  auth_unavailable: [503, 'ServiceUnavailable', 2, 'auth_unavailable', 'gateway'],
  cluster_reconnecting: [503, 'ServiceUnavailable', 5, 'cluster_reconnecting', 'tunnel'],
  cluster_offline: [503, 'ServiceUnavailable', undefined, 'cluster_offline', 'tunnel'],
  watch_held: [429, 'TooManyRequests', 2, 'cluster_reconnecting', 'tunnel'],
  queue_full: [429, 'TooManyRequests', 1, 'queue_full', 'gateway'],
  queue_timeout: [429, 'TooManyRequests', 1, 'queue_timeout', 'gateway'],
  stream_limit: [429, 'TooManyRequests', 1, 'stream_limit', 'agent'],
  draining: [429, 'TooManyRequests', 5, 'draining', 'gateway'],
  upstream_unreachable: [503, 'ServiceUnavailable', 2, 'upstream_unreachable', 'upstream'],
  not_executed: [503, 'ServiceUnavailable', 1, 'not_executed', 'agent'],
  session_lost_read: [503, 'ServiceUnavailable', 1, 'session_lost', 'tunnel'],
  session_lost_write: [504, 'Timeout', undefined, 'session_lost', 'tunnel'],
  upstream_reset_read: [503, 'ServiceUnavailable', 1, 'upstream_reset', 'upstream'],
  upstream_reset_write: [504, 'Timeout', undefined, 'upstream_reset', 'upstream'],
  request_timeout: [504, 'Timeout', undefined, 'request_timeout', 'gateway'],
  upstream_timeout: [504, 'Timeout', undefined, 'upstream_timeout', 'upstream'],
  upstream_protocol: [502, 'InternalError', undefined, 'upstream_protocol', 'upstream'],
  policy_denied: [403, 'Forbidden', undefined, 'policy_denied', 'agent'],
  internal: [500, 'InternalError', undefined, 'internal', 'gateway'],
};

describe('operator/gateway/front/fault', () => {
  it('has no row that the table does not know', () => {
    expect([...FAULT_KINDS].sort()).to.deep.equal(Object.keys(TABLE).sort());
  });

  for (const [kind, [status, reason, retryAfterSeconds, code, hop]] of Object.entries(TABLE)) {
    it(`${kind} is ${status} ${reason}${retryAfterSeconds === undefined ? '' : `, again in ${retryAfterSeconds} s`}`, () => {
      const answer = fault(kind as FaultKind, 'what happened');
      expect(answer).to.include({ status, reason, code, hop });
      expect(answer.retryAfterSeconds).to.equal(retryAfterSeconds);
      expect(statusBody(answer, 'c1', 'trace-1')).to.deep.equal({
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

  it('promises by Retry-After only what was not executed, or a read', () => {
    const promising = FAULT_KINDS.filter((kind) => fault(kind, '').retryAfterSeconds !== undefined);
    expect(promising).to.not.include.members([
      'session_lost_write',
      'request_timeout',
      'upstream_timeout',
      'upstream_protocol',
    ]);
  });

  it('names no tunnel where none is known', () => {
    expect(statusBody(fault('internal', 'x'), undefined, 't').details).to.not.have.property('name');
  });

  it('takes another Retry-After than the row’s', () => {
    expect(fault('watch_held', 'x', { retryAfterSeconds: 7 }).retryAfterSeconds).to.equal(7);
  });

  it('asks whoever comes to a draining gateway to connect again', () => {
    expect(leaving()).to.include({ code: 'draining', isLast: true });
  });

  it('calls a lost GET or HEAD a read, and everything else a write', () => {
    for (const method of ['GET', 'HEAD']) expect(lostKind({ method })).to.equal('session_lost_read');
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
      expect(lostKind({ method })).to.equal('session_lost_write');
  });

  for (const path of [
    '/api',
    '/api/',
    '/api/v1',
    '/apis',
    '/apis/apps',
    '/apis/apps/v1',
    '/apis/apps/v1/',
    '/api?timeout=32s',
    '/apis/apps/v1?x',
  ]) {
    it(`refuses discovery at ${path} as text`, () => {
      expect(refusal('no', path)).to.include({ status: 403, isText: true });
    });
  }
  for (const path of [
    '/',
    '/api/v1/pods',
    '/apis/apps/v1/deployments',
    '/version',
    '/apix',
    '/openapi/v3',
    '/api/v1/pods?x=/api',
  ]) {
    it(`refuses ${path} as a Status`, () => {
      expect(refusal('no', path).isText).to.equal(undefined);
    });
  }
});
