import type { AgentSettings } from '../crds/agent-settings.ts';
import type { Clock } from '../process/clock.ts';
import type { Trace } from '../process/trace.ts';
import type { DeflatedBody } from '../tunnel/session/deflated-body.ts';
import type { Outbox } from '../tunnel/session/outbox.ts';
import type { Stream } from '../tunnel/session/stream.ts';
import type { Identity, RequestHead, ResponseHead } from '../tunnel/wire/head.ts';
import type { Upstream } from './upstream.ts';

/** What all exchanges share. */
export interface ForwardContext {
  readonly upstream: Upstream;
  /** Rejects when there is none to read; undefined: the connection's certificate says who we are. */
  readonly token: () => Promise<string | undefined>;
  /** What the API server refuses with 401, for people: "the agent's own token". */
  readonly credential: string;
  /** The API server answered 401: the token may have rotated. */
  readonly onUnauthorized: () => void;
  readonly clock: Clock;
  readonly timeouts: () => AgentSettings['timeouts'];
}

/** The end of a stream that a request comes from. */
export type ServedStream = Pick<
  Stream,
  'isClosed' | 'attach' | 'consume' | 'after' | 'sendHead' | 'write' | 'end' | 'refuse' | 'reset'
> & { readonly outbox: Pick<Outbox, 'queuedBytes' | 'isEmpty'> };

/** How an exchange went. */
export interface ExchangeEnd {
  /** None: the whole answer was handed over. Cancel, SessionLost: nobody waits for it any more. */
  readonly code: number;
  readonly detail: string;
  /** Of the API server's answer; undefined when there was no head. */
  readonly status: number | undefined;
  /** Body bytes from the client and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface ExchangeOptions {
  readonly stream: ServedStream;
  readonly head: RequestHead;
  readonly trace: Trace;
  /** Complete, or none in access mode Agent: policy.ts said so. */
  readonly identity: Identity | undefined;
  readonly context: ForwardContext;
  /** The way of the answer's body into the stream if it goes deflated; undefined: it goes as it is. */
  readonly deflate: (answer: ResponseHead, events: { readonly onDrain: () => void }) => DeflatedBody | undefined;
  /** Once: nothing of this request is left at the API server, or nothing ever was. */
  readonly onGone: (end: ExchangeEnd) => void;
}
