import type { SlotPool } from '../../../tunnel/session/gateway-session.ts';
import type { Stream } from '../../../tunnel/session/stream.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import type { TunnelError } from '../front/tunnel-error.ts';
import type { AgentLink } from '../sessions/registry.ts';

/** A request that is authorised and wants a stream. */
export interface Applicant {
  readonly tunnel: string;
  /** What it asks of the target, without the query: for errors. */
  readonly path: string;
  /** Whose it is: users of a tunnel take turns. */
  readonly user: string;
  readonly pool: SlotPool;
  readonly isWatch: boolean;
  /** The tunnel is older than this gateway: until its agents had time to come back it counts as away, not as offline. */
  readonly predatesGateway?: boolean;
  /** Whether the request has no body. */
  readonly isEnd: boolean;
  /** A read without a body, with an end: it may try whether a way that failed holds again. */
  readonly mayProbe?: boolean;
  /** When it first came, if it comes again; else now. All time counts from here. */
  readonly enteredMs?: number;
  /** timeouts.request: how long it may take, and wait for a worker. Long-running ones only wait no longer. */
  readonly requestMs: number;
  readonly disconnectGraceMs: number;
  /** It may go another way: see Patience. */
  readonly hasFallback?: boolean;
  /** instanceId of an agent that could not ask: another one is to, while there is one. */
  readonly avoid?: string | undefined;
  /** What OPEN says, given the milliseconds that are left (0: no deadline). */
  readonly head: (deadlineMs: number) => RequestHead;
  /** The stream is open on this session; its events must be attached before returning. */
  readonly onStream: (stream: Stream, link: AgentLink) => void;
  readonly onError: (error: TunnelError) => void;
}
