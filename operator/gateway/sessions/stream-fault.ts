import type { StreamError } from '../../../tunnel/errors.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { FaultKind } from '../front/fault.ts';
import { TunnelError } from '../front/tunnel-error.ts';

/** The request whose stream ended. */
export interface Sent {
  readonly tunnel: string;
  /** Below /clusters/<tunnel>, without the query. */
  readonly path: string;
  /** See `isRead`. */
  readonly isRead: boolean;
}

const ELSEWHERE: ReadonlySet<number> = new Set([ErrorCode.Draining, ErrorCode.SessionLost, ErrorCode.Overload]);

/** Whether a request only reads. An upgrade runs something, whatever its method. */
export function isRead(method: string, isUpgrade = false): boolean {
  return !isUpgrade && (method === 'GET' || method === 'HEAD');
}

/** The session or its agent could not take this request, which certainly did not run: another may. */
export function mayGoElsewhere({ code, execution }: StreamError): boolean {
  return execution === 'not-executed' && ELSEWHERE.has(code);
}

/** The session was lost under a request that may have run. */
export function isLost({ code, execution }: StreamError): boolean {
  return code === ErrorCode.SessionLost && execution === 'unknown';
}

/** The answer broke HTTP, or was one that no API server gives. */
export function strangeAnswer(sent: Sent, what: string): TunnelError {
  const { tunnel, path, isRead } = sent;
  return new TunnelError('upstream_protocol', strangeness(sent, what), { tunnel, path, retryable: isRead });
}

/** The request's time is over by the gateway's clock. */
export function overdue(sent: Sent, timeoutMs: number): TunnelError {
  const { tunnel, path, isRead } = sent;
  const why = `the request did not complete within ${Math.round(timeoutMs / 1000)} s`;
  return new TunnelError('request_timeout', lateness(sent, why), { tunnel, path, retryable: isRead });
}

/** What the end of a stream means to a client that has seen no head. */
export function tunnelErrorOf(error: StreamError, sent: Sent): TunnelError {
  const { tunnel, path } = sent;
  const isUnseen = error.execution === 'not-executed';
  const why = error.detail === '' ? error.message : error.detail;
  const [kind, message] = verdict({ code: error.code, why, isUnseen }, sent);
  return new TunnelError(kind, message, { tunnel, path, cause: error, retryable: isUnseen || sent.isRead });
}

interface End {
  readonly code: number;
  readonly why: string;
  readonly isUnseen: boolean;
}

function verdict({ code, why, isUnseen }: End, sent: Sent): [FaultKind, string] {
  const { tunnel, isRead } = sent;
  const seen = { tunnel, isRead: isRead || isUnseen };
  switch (code) {
    case ErrorCode.UpstreamUnreachable:
      // Retry-After is a promise that nothing ran. REFUSED gives it, a mere RESET does not.
      if (!isUnseen) break;
      return ['upstream_unreachable', `the agent of tunnel "${tunnel}" cannot reach the API server: ${why}`];
    case ErrorCode.PolicyDenied:
      return ['policy_denied', `the agent of tunnel "${tunnel}" refused the request: ${why}`];
    case ErrorCode.UpstreamTimeout:
      return [
        'upstream_timeout',
        `the API server behind tunnel "${tunnel}" did not answer in time${doubt(seen)}: ${why}`,
      ];
    case ErrorCode.UpstreamProtocol:
      return ['upstream_protocol', strangeness(seen, why)];
    case ErrorCode.UpstreamReset: {
      // What the API server did before it closed the connection, nobody knows.
      const what = `the API server behind tunnel "${tunnel}" broke the connection`;
      return [isRead ? 'upstream_reset_read' : 'upstream_reset_write', `${what}${doubt(sent)}: ${why}`];
    }
    case ErrorCode.Overload:
      if (!isUnseen) break;
      return ['stream_limit', `the agent of tunnel "${tunnel}" has no room for the request: ${why}`];
    case ErrorCode.Deadline:
      return ['request_timeout', lateness(seen, why)];
    case ErrorCode.Backpressure:
      if (isUnseen) break;
      return [
        'backpressure_timeout',
        `the answer through tunnel "${tunnel}" was not read in time${doubt(sent)}: ${why}`,
      ];
  }
  if (isUnseen) return ['not_executed', `tunnel "${tunnel}" did not execute the request: ${why}`];
  const what = `tunnel "${tunnel}" ${code === ErrorCode.SessionLost ? 'was lost while the request ran' : 'broke the request off'}`;
  return [isRead ? 'session_lost_read' : 'session_lost_write', `${what}${doubt(sent)}: ${why}`];
}

type Doubtful = Pick<Sent, 'tunnel' | 'isRead'>;

function lateness(sent: Doubtful, why: string): string {
  return `tunnel "${sent.tunnel}": ${why}${doubt(sent)}`;
}

function strangeness(sent: Doubtful, what: string): string {
  return `the API server behind tunnel "${sent.tunnel}" gave an answer that may not pass${doubt(sent)}: ${what}`;
}

/** Who sent a write must look whether it ran before he sends it again. */
function doubt({ isRead }: Doubtful): string {
  return isRead ? '' : '; the request may have been executed';
}
