import { codeOf, type FaultKind, type Hop, rowOf } from './fault.ts';

/** What is known of the request that failed. */
export interface TunnelErrorFacts {
  readonly tunnel?: string | undefined;
  /** Below /clusters/<tunnel>, without the query. */
  readonly path?: string | undefined;
  /** Name of who asked, if he is known. */
  readonly user?: string | undefined;
  /** Instead of the message, in the log: without what only the client may see. */
  readonly logged?: string;
  /** The StreamError or the hub's error underneath. */
  readonly cause?: unknown;
  /** Instead of the row's. */
  readonly hop?: Hop | undefined;
  /** Where more is known than the kind says. */
  readonly retryable?: boolean;
  /** Instead of the row's. */
  readonly retryAfterSeconds?: number;
  readonly isText?: boolean;
}

/**
 * Why a request got no answer of its target: everything that goes wrong inside the gateway, and what agents report.
 * Status, reason and Retry-After follow from its kind (fault.ts); it becomes a metav1.Status at the edge only (status.ts).
 */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  readonly kind: FaultKind;
  /** Machine-readable, as in details.causes; several kinds may share one. */
  readonly code: string;
  /** Where it failed. */
  readonly hop: Hop;
  readonly tunnel: string | undefined;
  readonly path: string | undefined;
  readonly user: string | undefined;
  /** The message as it goes to the log. */
  readonly logged: string;
  /** Whether sending the request again cannot execute it twice: it certainly never ran, or it is a read. Not whether it helps. */
  readonly retryable: boolean;
  /** Whole seconds; undefined: what the table says. */
  readonly retryAfterSeconds: number | undefined;
  /** Sent as text/plain instead of a Status: see `refusal`. */
  readonly isText: boolean;

  /** `message` is a sentence for people; it goes to the client as it is. */
  constructor(kind: FaultKind, message: string, facts: TunnelErrorFacts = {}) {
    super(message, facts.cause === undefined ? {} : { cause: facts.cause });
    const { hop, retryable } = rowOf(kind);
    this.kind = kind;
    this.code = codeOf(kind);
    this.hop = facts.hop ?? hop;
    this.tunnel = facts.tunnel;
    this.path = facts.path;
    this.user = facts.user;
    this.logged = facts.logged ?? message;
    this.retryable = facts.retryable ?? retryable;
    this.retryAfterSeconds = facts.retryAfterSeconds;
    this.isText = facts.isText ?? false;
  }
}

/** In the words of the API server, for who may know that there is no such tunnel. */
export function noSuchTunnel(facts: TunnelErrorFacts & { readonly tunnel: string }): TunnelError {
  return new TunnelError('not_found', `clustertunnels.clustertunnel.io "${facts.tunnel}" not found`, facts);
}

/** What everybody is told who comes to a draining gateway, or waits in it. */
export function leaving(facts: TunnelErrorFacts = {}): TunnelError {
  return new TunnelError('draining', 'this gateway is leaving: the next connection finds another', facts);
}

/**
 * A 403. On discovery paths it is plain text: client-go reads discovery raw and shows a Status as "unknown", a text as it is.
 * Source: client-go rest.Result.Raw and newUnstructuredResponseError; docs/decisions/0001.
 */
export function refusal(message: string, facts: TunnelErrorFacts & { readonly path: string }): TunnelError {
  return new TunnelError('forbidden', message, { ...facts, isText: DISCOVERY_PATH.test(facts.path) });
}

/** /api, /api/v1, /apis, /apis/GROUP, /apis/GROUP/VERSION. */
const DISCOVERY_PATH = /^\/(api(\/[^/]+)?|apis(\/[^/]+){0,2})\/?$/;
