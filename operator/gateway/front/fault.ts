import type { RequestHead } from '../../../tunnel/wire/head.ts';

/** Where a request failed: the `field` of the cause that says so. */
export type Hop = 'gateway' | 'tunnel' | 'agent' | 'upstream';

/** What a client is told about an error, before any head was sent. */
export interface Fault {
  readonly status: number;
  /** metav1.StatusReason. */
  readonly reason: string;
  /** Machine-readable, in details.causes. */
  readonly code: string;
  readonly hop: Hop;
  readonly message: string;
  /** Whole seconds. A promise that the request was not executed or is a read: client-go repeats even a POST. */
  readonly retryAfterSeconds?: number;
  /** Sends Connection: close. */
  readonly isLast?: boolean;
  /** Sent as text/plain instead of a Status: see `refusal`. */
  readonly isText?: boolean;
}

interface Row {
  readonly status: number;
  readonly reason: string;
  readonly hop: Hop;
  readonly retryAfterSeconds?: number;
  readonly isLast?: boolean;
}

/** Every answer of the gateway's own. kubectl's and client-go's behaviour stands behind each. */
const ROWS = {
  unauthorized: { status: 401, reason: 'Unauthorized', hop: 'gateway' },
  forbidden: { status: 403, reason: 'Forbidden', hop: 'gateway' },
  not_found: { status: 404, reason: 'NotFound', hop: 'gateway' },
  bad_request: { status: 400, reason: 'BadRequest', hop: 'gateway' },
  method_not_allowed: { status: 405, reason: 'MethodNotAllowed', hop: 'gateway' },
  headers_too_large: { status: 431, reason: 'BadRequest', hop: 'gateway' },
  upgrade_unsupported: { status: 501, reason: 'NotImplemented', hop: 'gateway' },
  auth_unavailable: { status: 503, reason: 'ServiceUnavailable', hop: 'gateway', retryAfterSeconds: 2 },
  cluster_reconnecting: { status: 503, reason: 'ServiceUnavailable', hop: 'tunnel', retryAfterSeconds: 5 },
  cluster_offline: { status: 503, reason: 'ServiceUnavailable', hop: 'tunnel' },
  watch_held: { status: 429, reason: 'TooManyRequests', hop: 'tunnel', retryAfterSeconds: 2 },
  queue_full: { status: 429, reason: 'TooManyRequests', hop: 'gateway', retryAfterSeconds: 1 },
  queue_timeout: { status: 429, reason: 'TooManyRequests', hop: 'gateway', retryAfterSeconds: 1 },
  stream_limit: { status: 429, reason: 'TooManyRequests', hop: 'agent', retryAfterSeconds: 1 },
  draining: { status: 429, reason: 'TooManyRequests', hop: 'gateway', retryAfterSeconds: 5, isLast: true },
  upstream_unreachable: { status: 503, reason: 'ServiceUnavailable', hop: 'upstream', retryAfterSeconds: 2 },
  not_executed: { status: 503, reason: 'ServiceUnavailable', hop: 'agent', retryAfterSeconds: 1 },
  session_lost_read: { status: 503, reason: 'ServiceUnavailable', hop: 'tunnel', retryAfterSeconds: 1 },
  session_lost_write: { status: 504, reason: 'Timeout', hop: 'tunnel' },
  upstream_reset_read: { status: 503, reason: 'ServiceUnavailable', hop: 'upstream', retryAfterSeconds: 1 },
  upstream_reset_write: { status: 504, reason: 'Timeout', hop: 'upstream' },
  request_timeout: { status: 504, reason: 'Timeout', hop: 'gateway' },
  upstream_timeout: { status: 504, reason: 'Timeout', hop: 'upstream' },
  upstream_protocol: { status: 502, reason: 'InternalError', hop: 'upstream' },
  policy_denied: { status: 403, reason: 'Forbidden', hop: 'agent' },
  internal: { status: 500, reason: 'InternalError', hop: 'gateway' },
} as const satisfies Record<string, Row>;

export type FaultKind = keyof typeof ROWS;

/** The wire's cause codes: rows that differ only in status share one. */
const CODES: Partial<Record<FaultKind, string>> = {
  watch_held: 'cluster_reconnecting',
  session_lost_read: 'session_lost',
  session_lost_write: 'session_lost',
  upstream_reset_read: 'upstream_reset',
  upstream_reset_write: 'upstream_reset',
};

/** The row of the table, with its sentence. */
export function fault(kind: FaultKind, message: string, overrides: { retryAfterSeconds?: number } = {}): Fault {
  return { code: CODES[kind] ?? kind, message, ...ROWS[kind], ...overrides };
}

/** What everybody is told who comes to a draining gateway, or waits in it. */
export function leaving(): Fault {
  return fault('draining', 'this gateway is leaving: the next connection finds another');
}

/**
 * A 403. On discovery paths it is plain text: client-go reads discovery raw and shows a Status as "unknown", a text as it is.
 * Source: client-go rest.Result.Raw and newUnstructuredResponseError; docs/decisions/0001.
 */
export function refusal(message: string, innerPath: string): Fault {
  const forbidden = fault('forbidden', message);
  return DISCOVERY_PATH.test(innerPath) ? { ...forbidden, isText: true } : forbidden;
}

/** /api, /api/v1, /apis, /apis/GROUP, /apis/GROUP/VERSION. */
const DISCOVERY_PATH = /^\/(api(\/[^/?]+)?|apis(\/[^/?]+){0,2})\/?(\?|$)/;

/** Kinds in the order of the table, for tests and documentation. */
export const FAULT_KINDS = Object.keys(ROWS) as readonly FaultKind[];

/** Whether losing the session leaves a read, which may be sent again, or a write, which may have been executed. */
export function lostKind({ method }: Pick<RequestHead, 'method'>): FaultKind {
  return method === 'GET' || method === 'HEAD' ? 'session_lost_read' : 'session_lost_write';
}

/** metav1.Status as the API server would write it. Source: apimachinery pkg/api/errors. */
export function statusBody(
  { status, reason, code, hop, message, retryAfterSeconds }: Fault,
  tunnel: string | undefined,
  traceId: string,
) {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `${message} (trace ${traceId})`,
    reason,
    details: {
      ...(tunnel === undefined ? {} : { name: tunnel }),
      group: 'clustertunnel.io',
      kind: 'clustertunnels',
      causes: [{ reason: code, message, field: hop }],
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
    code: status,
  };
}
