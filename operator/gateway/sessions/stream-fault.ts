import type { StreamError } from '../../../tunnel/errors.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import { type Fault, fault, lostKind } from '../front/fault.ts';

/** The answer broke HTTP, or was one that no API server gives. */
export function strangeAnswer(tunnel: string, cause: string): Fault {
  const message = `the API server behind tunnel "${tunnel}" gave an answer that may not pass: ${cause}`;
  return fault('upstream_protocol', message);
}

/** What the end of a stream means to a client that has seen no head. */
export function faultOf(error: StreamError, { tunnel, method }: { tunnel: string; method: string }): Fault {
  const cause = error.detail === '' ? error.message : error.detail;
  const isUnseen = error.execution === 'not-executed';
  switch (error.code) {
    case ErrorCode.UpstreamUnreachable:
      // Retry-After is a promise that nothing ran. REFUSED gives it, a mere RESET does not.
      if (!isUnseen) break;
      return fault('upstream_unreachable', `the agent of tunnel "${tunnel}" cannot reach the API server: ${cause}`);
    case ErrorCode.PolicyDenied:
      return fault('policy_denied', `the agent of tunnel "${tunnel}" refused the request: ${cause}`);
    case ErrorCode.UpstreamTimeout:
      return fault('upstream_timeout', `the API server behind tunnel "${tunnel}" did not answer in time: ${cause}`);
    case ErrorCode.UpstreamProtocol:
      return strangeAnswer(tunnel, cause);
    case ErrorCode.UpstreamReset:
      return upstreamReset(tunnel, method, cause);
    case ErrorCode.Overload:
      if (!isUnseen) break;
      return fault('stream_limit', `the agent of tunnel "${tunnel}" has no room for the request: ${cause}`);
    case ErrorCode.Deadline:
      return fault('request_timeout', cause);
  }
  if (isUnseen) {
    return fault('not_executed', `tunnel "${tunnel}" did not execute the request: ${cause}`);
  }
  const kind = lostKind({ method });
  const doubt = kind === 'session_lost_write' ? '; the request may have been executed' : '';
  const what = error.code === ErrorCode.SessionLost ? 'was lost while the request ran' : 'broke the request off';
  return fault(kind, `tunnel "${tunnel}" ${what}${doubt}: ${cause}`);
}

/** The API server closed the connection under the request. What it did before, nobody knows. */
function upstreamReset(tunnel: string, method: string, cause: string): Fault {
  const what = `the API server behind tunnel "${tunnel}" broke the connection`;
  if (lostKind({ method }) === 'session_lost_read') return fault('upstream_reset_read', `${what}: ${cause}`);
  return fault('upstream_reset_write', `${what}; the request may have been executed: ${cause}`);
}
