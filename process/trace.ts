import { randomBytes } from 'node:crypto';

const SAFE_TRACE_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** An id of zeros only says that there is none (W3C Trace Context §3.2.2.3). */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** 32 lower-case hex digits, as in W3C Trace Context. */
export function newTraceId(): string {
  return randomBytes(16).toString('hex');
}

/** The client's trace id if it is at most 64 safe characters (X-Trace-ID, else traceparent), or a new one. */
export function traceIdOf(xTraceId: string | undefined, traceparent: string | undefined): string {
  if (xTraceId !== undefined && SAFE_TRACE_ID.test(xTraceId)) return xTraceId;
  return (traceparent && TRACEPARENT.exec(traceparent)?.[1]) || newTraceId();
}
