import type { StreamError } from '../../../tunnel/errors.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { Outcome } from '../sessions/overheard.ts';
import { isLost } from '../sessions/stream-fault.ts';

/** What one request tells of the way to its API server; undefined: nothing. */
export type Evidence = 'reached' | Unreached | undefined;

/** The session broke under the request, or the agent could not connect. */
export interface Unreached {
  readonly isSessionLost: boolean;
  readonly detail: string;
}

/** Who got so far spoke with the API server, whatever it did then. */
const REACHED: ReadonlySet<number> = new Set([
  ErrorCode.UpstreamReset,
  ErrorCode.UpstreamTimeout,
  ErrorCode.UpstreamProtocol,
  ErrorCode.Backpressure,
]);

/**
 * Any answer of the API server shows that the way holds, a 500 too. What its client or a full agent
 * ended, or what never left with its session, shows nothing.
 */
export function evidenceOf(outcome: Outcome): Evidence {
  if (outcome === 'answered') return 'reached';
  if (outcome === 'given up') return undefined;
  const { code, detail } = outcome;
  if (REACHED.has(code)) return 'reached';
  if (code === ErrorCode.UpstreamUnreachable) return { isSessionLost: false, detail: wordsOf(outcome) };
  if (isLost(outcome)) return { isSessionLost: true, detail: `the session was lost: ${detail}` };
  return undefined;
}

function wordsOf({ detail, message }: StreamError): string {
  return detail === '' ? message : detail;
}
