import { headerOf } from '../../../tunnel/request-headers.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';

/** What the API server says of itself: version, discovery, OpenAPI. Without the query. */
const OF_ITSELF = /^\/(version|api(\/[^/]+)?|apis(\/[^/]+){0,2}|openapi\/v2|openapi\/v3(\/.+)?)$/;
/** They make an answer depend on more than the key says, or on what the target has now. */
const APART: readonly string[] = [
  'range',
  'if-range',
  'if-match',
  'if-modified-since',
  'if-unmodified-since',
  'origin',
  'expect',
];
/** RFC 9111 §5.2.1: the client wants to hear the target itself. */
const ANEW = /(^|[\s,])(no-cache|no-store|max-age=0)($|[\s,;])/i;

/** A request as far as it decides whether it may be answered from memory. */
export interface Askable {
  readonly method: string;
  /** Without the query. */
  readonly plainPath: string;
  readonly headers: RawHeaders;
  readonly hasBody: boolean;
  readonly isUpgrade: boolean;
}

/** Whether what the gateway remembers may answer this request. */
export function isAskable({ method, plainPath, headers, hasBody, isUpgrade }: Askable): boolean {
  if (method !== 'GET' || hasBody || isUpgrade || !OF_ITSELF.test(plainPath)) return false;
  if (APART.some((name) => headerOf(headers, name) !== undefined)) return false;
  return !ANEW.test(valuesOf(headers, 'cache-control')) && !ANEW.test(valuesOf(headers, 'pragma'));
}

/** All lines of a field as one list (RFC 9110 §5.3); empty without any. Lower-case name. */
export function valuesOf(headers: RawHeaders, name: string): string {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]?.toLowerCase() === name).join(', ');
}
