import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { TunnelError } from './tunnel-error.ts';

/** What the API server upgrades to: exec, attach, port-forward and `…/proxy/…`. In the words that go on. */
const PROTOCOLS: readonly string[] = ['websocket', 'SPDY/3.1'];
const METHODS: ReadonlySet<string> = new Set(['GET', 'POST']);

/** A request that Node took for an upgrade: it has an Upgrade field, and Connection names it. */
export interface UpgradeRequest {
  readonly method: string;
  /** As in the request line: 1.1. */
  readonly httpVersion: string;
  readonly headers: RawHeaders;
}

/**
 * The protocol that a request asks to switch to, or why it may not. Strict: a connection that was switched by mistake
 * is one that nobody checks any more (CVE-2018-1002105). Its headers have no other trouble.
 */
export function upgradeProtocol({ method, httpVersion, headers }: UpgradeRequest): string | TunnelError {
  const asked = valuesOf(headers, 'upgrade');
  const protocol = PROTOCOLS.find((known) => asked.length === 1 && known.toLowerCase() === asked[0]?.toLowerCase());
  if (protocol === undefined) {
    return new TunnelError('bad_request', `an upgrade is to one of ${PROTOCOLS.join(', ')}, in one Upgrade header`);
  }
  if (httpVersion !== '1.1') return new TunnelError('bad_request', 'an upgrade needs HTTP/1.1');
  if (!METHODS.has(method)) return new TunnelError('bad_request', `an upgrade is a GET or a POST, not ${method}`);
  const lengths = valuesOf(headers, 'content-length');
  if (lengths.some((length) => Number(length) !== 0) || valuesOf(headers, 'transfer-encoding').length > 0) {
    return new TunnelError('bad_request', 'an upgrade has no body');
  }
  return protocol;
}

/** Whether a head 101 switches to the protocol that was asked for, and says so once. */
export function switchesTo(headers: RawHeaders, protocol: string): boolean {
  const said = valuesOf(headers, 'upgrade');
  return said.length === 1 && said[0]?.toLowerCase() === protocol.toLowerCase();
}

/** Of every line of that name (lower-case). */
function valuesOf(headers: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === name) values.push((headers[at + 1] ?? '').trim());
  }
  return values;
}
