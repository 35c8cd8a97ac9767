import type { SlotPool } from '../../../tunnel/session/gateway-session.ts';
import type { RequestStream } from '../../../tunnel/session/inflated-stream.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import { TunnelError } from '../front/tunnel-error.ts';

/** A request that the tunnel cannot carry. None of it was sent. */
export interface DirectApplicant {
  readonly tunnel: string;
  readonly path: string;
  /** Whose it is: users of a tunnel take turns. */
  readonly user: string;
  readonly pool: SlotPool;
  /** Whether the request has no body. */
  readonly isEnd: boolean;
  readonly isRead: boolean;
  /** Monotonic: until when it may wait, and an ordinary one run. */
  readonly deadlineMs: number;
  /** What an agent would be told, given the milliseconds that are left (0: no deadline). */
  readonly head: (deadlineMs: number) => RequestHead;
  /** It begins; events must be attached before returning. */
  readonly onStream: (stream: RequestStream) => void;
  /** It does not. */
  readonly onError: (error: TunnelError) => void;
  /** What runs may not go on. */
  readonly revoke: (error: TunnelError) => void;
  /** Why the tunnel does not carry it. */
  readonly refusal: TunnelError;
}

export function full({ tunnel, path, pool }: DirectApplicant): TunnelError {
  const message = `as many requests run and wait at the fallback of tunnel "${tunnel}" as may (${LIMIT[pool]}, spec.limits.maxQueuedRequests)`;
  return new TunnelError('queue_full', message, { tunnel, path });
}

export function late({ tunnel, path, pool }: DirectApplicant): TunnelError {
  const message = `no place at the fallback of tunnel "${tunnel}" became free in time (${LIMIT[pool]})`;
  return new TunnelError('queue_timeout', message, { tunnel, path });
}

export function ended({ tunnel, path, isRead }: DirectApplicant, why: string): TunnelError {
  const doubt = isRead ? '' : '; the request may have been executed';
  const kind = isRead ? 'session_lost_read' : 'session_lost_write';
  const message = `the fallback of tunnel "${tunnel}" ended while the request ran${doubt}: ${why}`;
  return new TunnelError(kind, message, { tunnel, path, hop: 'gateway', retryable: isRead });
}

const LIMIT: Readonly<Record<SlotPool, string>> = {
  ordinary: 'spec.limits.maxConcurrentRequests',
  longRunning: 'spec.limits.maxLongRunningRequests',
};
