/** Where a request failed: the `field` of the cause that says so. */
export type Hop = 'gateway' | 'tunnel' | 'agent' | 'upstream';

/** What a client is told, by the kind of an error. */
export interface FaultRow {
  readonly status: number;
  /** metav1.StatusReason. */
  readonly reason: string;
  readonly hop: Hop;
  /** Whether sending the request again cannot execute it twice, by the kind alone: it never ran, or it is a read. */
  readonly retryable: boolean;
  /** Whole seconds. A promise that the request was not executed or is a read: client-go repeats even a POST. */
  readonly retryAfterSeconds?: number;
  /** Sends Connection: close. */
  readonly isLast?: boolean;
}

/** Every answer of the gateway's own. kubectl's and client-go's behaviour stands behind each. */
const ROWS = {
  unauthorized: { status: 401, reason: 'Unauthorized', hop: 'gateway', retryable: true },
  forbidden: { status: 403, reason: 'Forbidden', hop: 'gateway', retryable: true },
  not_found: { status: 404, reason: 'NotFound', hop: 'gateway', retryable: true },
  bad_request: { status: 400, reason: 'BadRequest', hop: 'gateway', retryable: true },
  /** The next request on its connection may not be one. */
  malformed: { status: 400, reason: 'BadRequest', hop: 'gateway', retryable: true, isLast: true },
  method_not_allowed: { status: 405, reason: 'MethodNotAllowed', hop: 'gateway', retryable: true },
  headers_too_large: { status: 431, reason: 'BadRequest', hop: 'gateway', retryable: true },
  auth_unavailable: {
    status: 503,
    reason: 'ServiceUnavailable',
    hop: 'gateway',
    retryable: true,
    retryAfterSeconds: 2,
  },
  cluster_reconnecting: {
    status: 503,
    reason: 'ServiceUnavailable',
    hop: 'tunnel',
    retryable: true,
    retryAfterSeconds: 5,
  },
  cluster_offline: { status: 503, reason: 'ServiceUnavailable', hop: 'tunnel', retryable: true },
  watch_held: { status: 429, reason: 'TooManyRequests', hop: 'tunnel', retryable: true, retryAfterSeconds: 2 },
  queue_full: { status: 429, reason: 'TooManyRequests', hop: 'gateway', retryable: true, retryAfterSeconds: 1 },
  queue_timeout: { status: 429, reason: 'TooManyRequests', hop: 'gateway', retryable: true, retryAfterSeconds: 1 },
  rate_limited: { status: 429, reason: 'TooManyRequests', hop: 'gateway', retryable: true, retryAfterSeconds: 1 },
  session_full: { status: 429, reason: 'TooManyRequests', hop: 'gateway', retryable: true, retryAfterSeconds: 1 },
  circuit_open: { status: 503, reason: 'ServiceUnavailable', hop: 'gateway', retryable: true, retryAfterSeconds: 1 },
  circuit_open_watch: {
    status: 429,
    reason: 'TooManyRequests',
    hop: 'gateway',
    retryable: true,
    retryAfterSeconds: 2,
  },
  stream_limit: { status: 429, reason: 'TooManyRequests', hop: 'agent', retryable: true, retryAfterSeconds: 1 },
  draining: {
    status: 429,
    reason: 'TooManyRequests',
    hop: 'gateway',
    retryable: true,
    retryAfterSeconds: 5,
    isLast: true,
  },
  upstream_unreachable: {
    status: 503,
    reason: 'ServiceUnavailable',
    hop: 'upstream',
    retryable: true,
    retryAfterSeconds: 2,
  },
  not_executed: { status: 503, reason: 'ServiceUnavailable', hop: 'agent', retryable: true, retryAfterSeconds: 1 },
  session_lost_read: {
    status: 503,
    reason: 'ServiceUnavailable',
    hop: 'tunnel',
    retryable: true,
    retryAfterSeconds: 1,
  },
  session_lost_write: { status: 504, reason: 'Timeout', hop: 'tunnel', retryable: false },
  upstream_reset_read: {
    status: 503,
    reason: 'ServiceUnavailable',
    hop: 'upstream',
    retryable: true,
    retryAfterSeconds: 1,
  },
  upstream_reset_write: { status: 504, reason: 'Timeout', hop: 'upstream', retryable: false },
  request_timeout: { status: 504, reason: 'Timeout', hop: 'gateway', retryable: false },
  backpressure_timeout: { status: 504, reason: 'Timeout', hop: 'gateway', retryable: false },
  upstream_timeout: { status: 504, reason: 'Timeout', hop: 'upstream', retryable: false },
  upstream_protocol: { status: 502, reason: 'InternalError', hop: 'upstream', retryable: false },
  policy_denied: { status: 403, reason: 'Forbidden', hop: 'agent', retryable: true },
  internal: { status: 500, reason: 'InternalError', hop: 'gateway', retryable: false },
} as const satisfies Record<string, FaultRow>;

export type FaultKind = keyof typeof ROWS;

/** The wire's cause codes: rows that differ only in status share one. */
const CODES: Partial<Record<FaultKind, string>> = {
  malformed: 'bad_request',
  watch_held: 'cluster_reconnecting',
  session_full: 'stream_limit',
  circuit_open_watch: 'circuit_open',
  session_lost_read: 'session_lost',
  session_lost_write: 'session_lost',
  upstream_reset_read: 'upstream_reset',
  upstream_reset_write: 'upstream_reset',
};

/** What the table says of a kind. */
export function rowOf(kind: FaultKind): FaultRow {
  return ROWS[kind];
}

/** The machine-readable code of a kind, as in details.causes. */
export function codeOf(kind: FaultKind): string {
  return CODES[kind] ?? kind;
}

/** Kinds in the order of the table, for tests and documentation. */
export const FAULT_KINDS = Object.keys(ROWS) as readonly FaultKind[];
