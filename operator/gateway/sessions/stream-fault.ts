import type { StreamError } from '../../../tunnel/errors.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { FaultKind, Hop } from '../front/fault.ts';
import { TunnelError } from '../front/tunnel-error.ts';
import { type Way, wordsOf } from './way-words.ts';

/** The request whose stream ended. */
export interface Sent extends Way {
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

/** The agent could not connect to its API server, and so certainly did not ask it. */
export function isUnreached({ code, execution }: StreamError): boolean {
  return execution === 'not-executed' && code === ErrorCode.UpstreamUnreachable;
}

/** The session was lost under a request that may have run. */
export function isLost({ code, execution }: StreamError): boolean {
  return code === ErrorCode.SessionLost && execution === 'unknown';
}

/** The answer broke HTTP, or was one that no API server gives. */
export function strangeAnswer(sent: Sent, what: string): TunnelError {
  const { tunnel, path, isRead } = sent;
  const facts = { tunnel, path, hop: hopOf(sent), retryable: isRead };
  return new TunnelError('upstream_protocol', strangeness(sent, what), facts);
}

/** The request's time is over by the gateway's clock. */
export function overdue(sent: Sent, timeoutMs: number): TunnelError {
  const { tunnel, path, isRead } = sent;
  const why = `the request did not complete within ${Math.round(timeoutMs / 1000)} s`;
  return new TunnelError('request_timeout', lateness(sent, why), { tunnel, path, hop: hopOf(sent), retryable: isRead });
}

/** What the end of a stream means to a client that has seen no head. */
export function tunnelErrorOf(error: StreamError, sent: Sent): TunnelError {
  const { tunnel, path } = sent;
  const isUnseen = error.execution === 'not-executed';
  const why = error.detail === '' ? error.message : error.detail;
  const [kind, message] = verdict({ code: error.code, why, isUnseen }, sent);
  const facts = { tunnel, path, hop: hopOf(sent), cause: error, retryable: isUnseen || sent.isRead };
  return new TunnelError(kind, message, facts);
}

/** It was the gateway itself that asked; else the kind says who knows. */
function hopOf({ isDirect = false }: Sent): Hop | undefined {
  return isDirect ? 'gateway' : undefined;
}

interface End {
  readonly code: number;
  readonly why: string;
  readonly isUnseen: boolean;
}

function verdict({ code, why, isUnseen }: End, sent: Sent): [FaultKind, string] {
  const { isRead } = sent;
  const seen = { ...sent, isRead: isRead || isUnseen };
  const { way, asker, server, through } = wordsOf(sent);
  switch (code) {
    case ErrorCode.UpstreamUnreachable:
      // Retry-After is a promise that nothing ran. REFUSED gives it, a mere RESET does not.
      if (!isUnseen) break;
      return ['upstream_unreachable', `${asker} cannot reach the API server: ${why}`];
    case ErrorCode.PolicyDenied:
      return ['policy_denied', `${asker} refused the request: ${why}`];
    case ErrorCode.UpstreamTimeout:
      return ['upstream_timeout', `${server} did not answer in time${doubt(seen)}: ${why}`];
    case ErrorCode.UpstreamProtocol:
      return ['upstream_protocol', strangeness(seen, why)];
    case ErrorCode.UpstreamReset: {
      // What the API server did before it closed the connection, nobody knows.
      const what = `${server} broke the connection`;
      return [isRead ? 'upstream_reset_read' : 'upstream_reset_write', `${what}${doubt(sent)}: ${why}`];
    }
    case ErrorCode.Overload:
      if (!isUnseen) break;
      return ['stream_limit', `${asker} has no room for the request: ${why}`];
    case ErrorCode.Deadline:
      return ['request_timeout', lateness(seen, why)];
    case ErrorCode.Backpressure:
      if (isUnseen) break;
      return ['backpressure_timeout', `the answer ${through} was not read in time${doubt(sent)}: ${why}`];
  }
  if (isUnseen) return ['not_executed', `${way} did not execute the request: ${why}`];
  const what = `${way} ${code === ErrorCode.SessionLost ? 'was lost while the request ran' : 'broke the request off'}`;
  return [isRead ? 'session_lost_read' : 'session_lost_write', `${what}${doubt(sent)}: ${why}`];
}

type Doubtful = Pick<Sent, 'tunnel' | 'isRead' | 'isDirect'>;

function lateness(sent: Doubtful, why: string): string {
  return `${wordsOf(sent).way}: ${why}${doubt(sent)}`;
}

function strangeness(sent: Doubtful, what: string): string {
  return `${wordsOf(sent).server} gave an answer that may not pass${doubt(sent)}: ${what}`;
}

/** Who sent a write must look whether it ran before he sends it again. */
function doubt({ isRead }: Doubtful): string {
  return isRead ? '' : '; the request may have been executed';
}
