import type { Stream } from '../../../tunnel/session/stream.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import { TunnelError } from '../front/tunnel-error.ts';
import type { AgentLink } from '../sessions/registry.ts';
import type { Applicant } from './applicant.ts';

/** Who else waits is not to suffer from one whose head does not fit into a frame. */
export function openOrError(
  { session }: AgentLink,
  head: RequestHead,
  isEnd: boolean,
): Stream | RangeError | undefined {
  try {
    return session.open(head, isEnd);
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
}

/** The client's own headers are bounded; with those of the gateway, and all the groups of a user, they may still be too much. */
export function tooLarge({ tunnel, path }: Applicant, { message }: RangeError): TunnelError {
  const what = `the request with what the gateway adds for its user is larger than one to tunnel "${tunnel}" can be: ${message}`;
  return new TunnelError('headers_too_large', what, { tunnel, path });
}
