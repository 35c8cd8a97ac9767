import { nextTrace, type Trace } from '../process/trace.ts';
import { crossing } from '../tunnel/request-headers.ts';
import type { Identity, RequestHead } from '../tunnel/wire/head.ts';
import { upgradeProtocol } from './upgrade-protocol.ts';

/** Ours to say, whatever the client said: where the request goes, how its body is framed and traced. */
const REPLACED: ReadonlySet<string> = new Set(['host', 'expect', 'x-trace-id', 'traceparent']);

const EXTRA_PREFIX = 'Impersonate-Extra-';
/** All but the characters of a token (RFC 9110 §5.6.2), `%` among the others. */
const NOT_IN_NAMES = /[^!#$&'*+.^_`|~0-9A-Za-z-]/gu;

/**
 * The header list that goes to the API server, made fresh: what may cross first, who we are and whom we speak for last.
 * The head must have passed policy.ts: `identity` is complete and fit for header
 * values; without one whoever holds the credential asks for himself. Without `token` the connection says who that is.
 */
export function outgoingHeaders(
  head: RequestHead,
  identity: Identity | undefined,
  token: string | undefined,
  trace: Trace = nextTrace(head.traceId, head.headers),
): string[] {
  const headers: string[] = [];
  const passed = crossing(head.headers);
  for (let at = 0; at < passed.length; at += 2) {
    const name = passed[at] ?? '';
    const lower = name.toLowerCase();
    // It speaks of a trace that ends here.
    if (lower === 'tracestate' && !trace.isContinued) continue;
    if (!REPLACED.has(lower)) headers.push(name, passed[at + 1] ?? '');
  }
  const protocol = head.isUpgrade ? upgradeProtocol(head.headers) : undefined;
  if (protocol !== undefined) headers.push('Connection', 'Upgrade', 'Upgrade', protocol);
  headers.push('X-Trace-ID', trace.id, 'traceparent', trace.parent);
  if (token !== undefined) headers.push('Authorization', `Bearer ${token}`);
  if (identity !== undefined) headers.push(...identityHeaders(identity));
  return headers;
}

/** Whom the agent speaks for, as the API server reads it. */
export function identityHeaders(identity: Identity): string[] {
  const headers = ['Impersonate-User', identity.user];
  if (identity.uid !== '') headers.push('Impersonate-Uid', identity.uid);
  for (const group of identity.groups) headers.push('Impersonate-Group', group);
  for (const { key, values } of identity.extras ?? []) {
    for (const value of values) headers.push(`${EXTRA_PREFIX}${escapedKey(key)}`, value);
  }
  return headers;
}

/** What no field name can hold, and `%` itself, percent-encoded; the API server decodes it (client-go transport). */
function escapedKey(key: string): string {
  return key.replace(NOT_IN_NAMES, (char) => Buffer.from(char).toString('hex').toUpperCase().replace(/../g, '%$&'));
}
