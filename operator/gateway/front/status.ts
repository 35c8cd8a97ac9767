import { type Trace, traceLines } from '../../../process/trace.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { rowOf } from './fault.ts';
import type { TunnelError } from './tunnel-error.ts';

/** Said with every answer: no browser may take one for a page or a script (WHATWG Fetch, X-Content-Type-Options). */
export const NO_SNIFFING = ['x-content-type-options', 'nosniff'] as const;

/** An error as an HTTP answer. */
export interface ErrorAnswer {
  readonly status: number;
  /** What describes the answer and its body; how the connection goes on is the writer's to say. */
  readonly headers: RawHeaders;
  readonly body: string;
  /** The connection should end with this answer. */
  readonly isLast: boolean;
}

/** What a client is told about an error, before any head was sent. `tunnel`: the one that the Status names, if any. */
export function errorAnswer(error: TunnelError, trace: Trace, tunnel: string | undefined): ErrorAnswer {
  const { status, isLast = false } = rowOf(error.kind);
  const told = statusBody(error, trace.id, tunnel);
  const body = error.isText ? `${told.message}\n` : `${JSON.stringify(told)}\n`;
  const { retryAfterSeconds } = told.details;
  const headers = [
    'content-type',
    error.isText ? 'text/plain; charset=utf-8' : 'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
    ...NO_SNIFFING,
    ...traceLines(trace),
    ...(retryAfterSeconds === undefined ? [] : ['retry-after', String(retryAfterSeconds)]),
    ...(isReadRaw(error) && !error.isText ? ['warning', warningOf(error)] : []),
  ];
  return { status, headers, body, isLast };
}

/** Discovery, OpenAPI and the version. */
const READ_RAW = /^\/(version|openapi(\/.*)?|api(\/[^/]+)?|apis(\/[^/]+){0,2})\/?$/;
const LONGEST_WARNING = 1_000;

/** Whether client-go looks at no Status there, but says its own sentence about the code. It shows warnings beside it. */
function isReadRaw({ path = '' }: TunnelError): boolean {
  return READ_RAW.test(path);
}

/** The message as a Warning header (RFC 7234 §5.5). No trace id: kubectl shows each text once. */
function warningOf({ message }: TunnelError): string {
  const text = message.slice(0, LONGEST_WARNING).replace(/[^\x20-\x7e]/g, '?');
  return `299 - "${text.replace(/["\\]/g, '\\$&')}"`;
}

/** metav1.Status as the API server would write it. Source: apimachinery pkg/api/errors. */
export function statusBody(error: TunnelError, traceId: string, tunnel: string | undefined) {
  const { kind, code, hop, message } = error;
  const { status, reason, retryAfterSeconds: usual } = rowOf(kind);
  const retryAfterSeconds = error.retryAfterSeconds ?? usual;
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
