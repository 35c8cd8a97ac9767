import type { RawHeaders } from './wire/head.ts';
import { MAX_HEADER_LINES } from './wire/limits.ts';

/** Field names of RFC 9110 §5.1, without `_`: some servers read `X_Y` as `X-Y`. */
const FIELD_NAME = /^[!#$%&'*+.^`|~0-9A-Za-z-]+$/;
/** RFC 9110 §5.5 without obs-fold: what can stand in a field value. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** All headers of a request or response, in bytes. */
export const MAX_HEADERS_BYTES = 64 * 1024;

/** RFC 9110 §7.6.1, with the older Keep-Alive, Proxy-Connection and HTTP2-Settings (RFC 7540 §3.2.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Who the client is to the hub, or claims to be: never leaves the gateway. */
const RESERVED = /^(impersonate-.*|x-remote-.*|authorization|cookie|x-forwarded-.*|forwarded|x-clustertunnel-.*)$/;

/** A bearer token among WebSocket subprotocols. Source: k8s.io/apiserver authentication/request/websocket/protocol.go. */
const BEARER_PROTOCOL = /^base64url\.bearer\.authorization\.k8s\.io\./i;
const DIGITS = /^[0-9]+$/;

/** May occur once: two would let two parsers pick different ones. */
const SINGLE: readonly string[] = [
  'host',
  'authorization',
  'content-length',
  'content-type',
  'transfer-encoding',
  'origin',
];

/** What a request may not do with headers, and the status that says so. */
export interface HeaderTrouble {
  readonly status: 400 | 431;
  readonly message: string;
}

/** Whether a header tells who the caller is: identity is added by us, never passed on. Lower-case name. */
export function isReserved(name: string): boolean {
  return RESERVED.test(name);
}

/** Value of a header that may occur once; the first if there are several. Lower-case name. */
export function headerOf(headers: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === name) return headers[at + 1];
  }
  return undefined;
}

/** Names that the message's Connection fields nominate, lower-case (RFC 9110 §7.6.1). */
export function nominated(headers: RawHeaders): ReadonlySet<string> {
  const names = new Set<string>();
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]?.toLowerCase();
    if (name !== 'connection' && name !== 'proxy-connection') continue;
    for (const token of headers[at + 1]?.split(',') ?? []) names.add(token.trim().toLowerCase());
  }
  return names;
}

/** Why a request's headers are refused; undefined when they may pass. */
export function headerTrouble(headers: RawHeaders): HeaderTrouble | undefined {
  if (headers.length / 2 > MAX_HEADER_LINES) {
    return { status: 431, message: `${headers.length / 2} header lines, allowed ${MAX_HEADER_LINES}` };
  }
  const seen = new Map<string, number>();
  let bytes = 0;
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? '';
    const value = headers[at + 1] ?? '';
    bytes += name.length + value.length + 4;
    if (name.startsWith(':')) continue;
    if (!FIELD_VALUE.test(value)) {
      return { status: 400, message: `the value of header ${name.slice(0, 64)} holds control bytes` };
    }
    const lower = name.toLowerCase();
    if (lower === 'content-length' && !DIGITS.test(value))
      return { status: 400, message: 'Content-Length is no number' };
    seen.set(lower, (seen.get(lower) ?? 0) + 1);
  }
  if (bytes > MAX_HEADERS_BYTES)
    return { status: 431, message: `${bytes} bytes of headers, allowed ${MAX_HEADERS_BYTES}` };
  return repeated(seen) ?? nominatedTrouble(headers);
}

/**
 * The headers that go on: without hop-by-hop fields, those the sender nominated, and everything that tells who the caller is.
 * Names that are no field names (with `_`, say) are dropped, HTTP/2's pseudo headers too. Order, case and repetition stay.
 */
export function crossing(headers: RawHeaders): string[] {
  const dropped = nominated(headers);
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] ?? '';
    const lower = name.toLowerCase();
    if (!FIELD_NAME.test(name) || HOP_BY_HOP.has(lower) || dropped.has(lower) || isReserved(lower)) continue;
    const value = headers[at + 1] ?? '';
    const passing = lower === 'sec-websocket-protocol' ? withoutBearer(value) : value;
    if (passing !== undefined) kept.push(name, passing);
  }
  return kept;
}

/** Subprotocols without the hub's token; undefined when nothing else was asked for. */
function withoutBearer(value: string): string | undefined {
  const protocols = value.split(',').map((protocol) => protocol.trim());
  const others = protocols.filter((protocol) => !BEARER_PROTOCOL.test(protocol));
  if (others.length === protocols.length) return value;
  return others.length === 0 ? undefined : others.join(', ');
}

function repeated(seen: ReadonlyMap<string, number>): HeaderTrouble | undefined {
  const twice = SINGLE.find((name) => (seen.get(name) ?? 0) > 1);
  if (twice !== undefined) return { status: 400, message: `header ${twice} occurs ${seen.get(twice)} times` };
  if (seen.has('content-length') && seen.has('transfer-encoding')) {
    return { status: 400, message: 'Content-Length beside Transfer-Encoding' };
  }
  return undefined;
}

/** Nominating a header that says who the caller is has one use: an attack (Rancher CVE-2021-31999). */
function nominatedTrouble(headers: RawHeaders): HeaderTrouble | undefined {
  for (const name of nominated(headers)) {
    if (isReserved(name) || name === 'host') return { status: 400, message: `Connection names ${name.slice(0, 64)}` };
  }
  return undefined;
}
