import type { RawHeaders } from '../tunnel/wire/head.ts';

/** What exec, attach and port-forward speak, in lower case. */
const SERVED: ReadonlySet<string> = new Set(['websocket', 'spdy/3.1']);

/** The protocol of the one Upgrade line, as it is written; undefined when there is no such line, or several. */
export function upgradeProtocol(headers: RawHeaders): string | undefined {
  const values = headers.filter((_, at) => at % 2 === 1 && headers[at - 1]?.toLowerCase() === 'upgrade');
  return values.length === 1 ? values[0] : undefined;
}

/** The headers without their Upgrade lines. */
export function withoutUpgrade(headers: RawHeaders): RawHeaders {
  return headers.filter((_, at) => headers[at - (at % 2)]?.toLowerCase() !== 'upgrade');
}

/** Protocol names are compared without regard to case (RFC 9110 §7.8). */
export function isServedProtocol(protocol: string): boolean {
  return SERVED.has(protocol.toLowerCase());
}
