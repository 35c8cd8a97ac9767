import { randomBytes } from 'node:crypto';

const SAFE_TRACE_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** A trace id of traceparent. One of zeros only says that there is none (W3C Trace Context §3.2.2.3). */
const W3C_TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;
/** Version, trace id, span id of the sender, flags. Later versions may add to the end (W3C Trace Context §3.2.2, §4.3). */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})($|-)/;
const LONGEST_TRACEPARENT = 256;
const SAMPLED = 0x01;
/** Those of later versions mean nothing to us, and so are not passed on. */
const KNOWN_FLAGS = SAMPLED;
/** The system is asked for so many random bytes at a time. */
const POOL_BYTES = 4_096;

/** How one request is found in the logs of all that it passes. */
export interface Trace {
  /** At most 64 safe characters. */
  readonly id: string;
  /** W3C traceparent as it goes on: the trace with a span id of this hop's own. */
  readonly parent: string;
  /** Whether `parent` goes on with the sender's trace: only then its tracestate says something. */
  readonly isContinued: boolean;
  /** Whoever asks follows this request: he sent an id of his own, or a traceparent with the sampled flag. */
  readonly isFollowed: boolean;
}

/** The trace of a request by its raw header list. What is not exactly as it should be, or stands there twice, is replaced. */
export function traceOf(headers: readonly string[]): Trace {
  const { id, parent } = saidIn(headers);
  const own = isSafe(id) ? id : undefined;
  return traceFrom(own, parent, own === undefined ? 0 : SAMPLED);
}

/** The trace of a request that the hop before calls `id`, with its headers; fit for a field value, whatever `id` holds. */
export function nextTrace(id: string, headers: readonly string[]): Trace {
  return traceFrom(isSafe(id) ? id : undefined, saidIn(headers).parent, 0);
}

/** Of what nobody gave a trace. */
export function newTrace(): Trace {
  return traceFrom(undefined, undefined, 0);
}

/** 32 lower-case hex digits, as in W3C Trace Context. */
export function newTraceId(): string {
  return randomHex(16);
}

/** The lines that tell a trace to the client. */
export function traceLines({ id, parent }: Trace): [string, string, string, string] {
  return ['x-trace-id', id, 'traceparent', parent];
}

/** The fields that tell a trace in a log line. */
export function traceFields({ id, parent }: Trace): { readonly trace_id: string; readonly traceparent: string } {
  return { trace_id: id, traceparent: parent };
}

/** The headers with this hop's traceparent in place of the sender's; without the tracestate of a trace that ends here. */
export function traced(headers: readonly string[], { parent, isContinued }: Trace): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? '';
    const isOurs = isNamed(name, 'traceparent') || (!isContinued && isNamed(name, 'tracestate'));
    if (!isOurs) kept.push(name, headers[at + 1] ?? '');
  }
  kept.push('traceparent', parent);
  return kept;
}

/** `newFlags`: of a trace that begins here. */
function traceFrom(id: string | undefined, traceparent: string | undefined, newFlags: number): Trace {
  const said = parse(traceparent);
  const traceId = said?.traceId ?? (id !== undefined && W3C_TRACE_ID.test(id) ? id : newTraceId());
  const flags = said?.flags ?? newFlags;
  const parent = `00-${traceId}-${randomHex(8)}-0${flags}`;
  return { id: id ?? traceId, parent, isContinued: said !== undefined, isFollowed: (flags & SAMPLED) !== 0 };
}

function parse(traceparent: string | undefined): { readonly traceId: string; readonly flags: number } | undefined {
  if (traceparent === undefined || traceparent.length > LONGEST_TRACEPARENT) return undefined;
  const [, version, traceId, flags = '', end] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || (version === '00' && end !== '')) return undefined;
  return { traceId, flags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
}

/** Each if it is said once. */
function saidIn(headers: readonly string[]): { readonly id: string | undefined; readonly parent: string | undefined } {
  const ids: string[] = [];
  const parents: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? '';
    if (isNamed(name, 'x-trace-id')) ids.push(headers[at + 1] ?? '');
    else if (isNamed(name, 'traceparent')) parents.push(headers[at + 1] ?? '');
  }
  return { id: ids.length === 1 ? ids[0] : undefined, parent: parents.length === 1 ? parents[0] : undefined };
}

function isNamed(name: string, lower: string): boolean {
  return name.length === lower.length && name.toLowerCase() === lower;
}

function isSafe(id: string | undefined): id is string {
  return id !== undefined && SAFE_TRACE_ID.test(id);
}

let pool = Buffer.alloc(0);
let taken = 0;

/** Each call to the system costs as much as thousands of bytes of it. */
function randomHex(bytes: number): string {
  if (taken + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES);
    taken = 0;
  }
  taken += bytes;
  return pool.toString('hex', taken - bytes, taken);
}
