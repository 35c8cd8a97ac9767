import { headerOf } from '../../../tunnel/request-headers.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';

/** uri-host and port of RFC 9110 §7.2, of names and addresses that somebody may have; empty: nobody is meant. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._~-]*)(:[0-9]*)?$/i;
const VERSIONS: ReadonlySet<string> = new Set(['1.0', '1.1']);

export interface Framing {
  /** As in the request line; undefined: no HTTP/1. */
  readonly httpVersion?: string | undefined;
  readonly headers: RawHeaders;
}

/** Why two readers may not agree on where a request ends or whom it is for, though Node's parser took it; undefined: they do. */
export function framingTrouble({ httpVersion, headers }: Framing): string | undefined {
  if (httpVersion !== undefined && !VERSIONS.has(httpVersion))
    return `HTTP/${httpVersion} is not spoken on this connection`;
  const coding = headerOf(headers, 'transfer-encoding');
  // RFC 9112 §6.1: in HTTP/1.0 it is faulty framing; of codings we undo chunked only.
  if (coding !== undefined && httpVersion === '1.0') return 'Transfer-Encoding in HTTP/1.0';
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    return 'a Transfer-Encoding other than chunked';
  const host = headerOf(headers, 'host');
  if (httpVersion === '1.1' && host === undefined) return 'no Host';
  return hostTrouble(headerOf(headers, ':authority'), host);
}

/** RFC 9112 §3.2, RFC 9113 §8.3.1. */
function hostTrouble(authority: string | undefined, host: string | undefined): string | undefined {
  if (!HOST.test(authority ?? '') || !HOST.test(host ?? '')) return 'the Host is no host';
  const isSame = authority === undefined || host === undefined || authority.toLowerCase() === host.toLowerCase();
  return isSame ? undefined : 'Host and :authority are not the same';
}
