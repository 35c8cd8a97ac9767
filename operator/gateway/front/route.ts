import { headerOf, headerTrouble } from '../../../tunnel/request-headers.ts';
import { isLongRunning, type RequestInfo, requestInfo, verbOfMethod } from '../../../tunnel/request-info.ts';
import { pathTrouble } from '../../../tunnel/request-path.ts';
import { requestTimeoutMs } from '../../../tunnel/request-timeout.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { type Framing, framingTrouble } from './framing.ts';
import { TunnelError } from './tunnel-error.ts';

/** What a request asks of which tunnel. */
export interface Route {
  readonly tunnel: string;
  /** Raw bytes below /clusters/<tunnel>, query included: what the target sees. */
  readonly path: string;
  /** The same without the query. */
  readonly plainPath: string;
  readonly info: RequestInfo;
  readonly isLongRunning: boolean;
  /** What an ordinary request says itself of how long it may take; undefined: nothing. */
  readonly timeoutMs: number | undefined;
}

export interface RequestLine extends Framing {
  readonly method: string;
  /** Raw request target. */
  readonly url: string;
}

const PREFIX = '/clusters/';
/** Where the API of a tunnel begins. */
export function tunnelPath(tunnel: string): string {
  return `${PREFIX}${tunnel}`;
}

/** A Kubernetes object name (RFC 1123 subdomain). */
const TUNNEL_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
/** Of a query nothing goes to the log. */
const NO_DURATION = 'the timeout in the query is no duration';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Why a request goes nowhere, wherever it wants to go. Strict: what two parsers could read differently is refused. */
export function lineTrouble(line: RequestLine, allowedOrigins: readonly string[] = []): TunnelError | undefined {
  const { method, url, headers } = line;
  const trouble = headerTrouble(headers);
  if (trouble !== undefined) {
    return new TunnelError(trouble.status === 431 ? 'headers_too_large' : 'malformed', trouble.message);
  }
  const framing = framingTrouble(line);
  if (framing !== undefined) return new TunnelError('malformed', framing);
  if (!METHODS.has(method)) {
    return new TunnelError('method_not_allowed', `method ${method.slice(0, 16)} is not served here`);
  }
  if (isOfAnotherOrigin(headers, allowedOrigins)) {
    const remedy = 'leave out the Origin header, or name it to the operator with --allowed-origin';
    return new TunnelError('forbidden', `pages of another origin are not served: ${remedy}`);
  }
  const message = pathTrouble(url);
  return message === undefined ? undefined : new TunnelError('bad_request', message);
}

/**
 * Whether a browser says that a page from elsewhere asks (RFC 6454 §7.3): it may add its user's certificate unasked, and
 * no rule of the same origin holds for WebSockets. Clients that are no browsers say our own origin, or nothing.
 */
function isOfAnotherOrigin(headers: RawHeaders, allowedOrigins: readonly string[]): boolean {
  const origin = headerOf(headers, 'origin');
  if (origin === undefined) return false;
  const host = headerOf(headers, ':authority') ?? headerOf(headers, 'host') ?? '';
  const plain = (text: string) => text.toLowerCase().replace(/:443$/, '');
  return ![`https://${host}`, ...allowedOrigins].some((allowed) => plain(origin) === plain(allowed));
}

/** Where a request goes, or why it goes nowhere. */
export function routeOf(line: RequestLine, allowedOrigins: readonly string[] = []): Route | TunnelError {
  const trouble = lineTrouble(line, allowedOrigins);
  if (trouble !== undefined) return trouble;
  const { method, url } = line;
  if (!url.startsWith(PREFIX))
    return new TunnelError('not_found', 'the gateway serves /clusters/<tunnel>/<path of the Kubernetes API>');
  const rest = url.slice(PREFIX.length);
  const [tunnel = ''] = rest.split(/[/?]/, 1);
  if (!TUNNEL_NAME.test(tunnel))
    return new TunnelError('bad_request', 'the tunnel in /clusters/<tunnel>/ is no Kubernetes object name');
  const below = rest.slice(tunnel.length);
  const path = below.startsWith('/') ? below : `/${below}`;
  const info = requestInfo(method, path);
  const [plainPath = path] = path.split('?', 1);
  const isLong = isLongRunning(info, path);
  const timeoutMs = isLong ? undefined : requestTimeoutMs(path);
  if (typeof timeoutMs === 'string') return new TunnelError('bad_request', timeoutMs, { logged: NO_DURATION });
  return { tunnel, path, plainPath, info, isLongRunning: isLong, timeoutMs };
}

/** The verb that the hub must grant on clustertunnels/proxy: an upgrade reads and writes, whatever its method. */
export function hubVerb({ info }: Route, method: string, isUpgrade: boolean): string {
  if (isUpgrade) return 'create';
  if (info.isResourceRequest && info.verb !== 'proxy') return info.verb;
  return verbOfMethod(method);
}

/** The longest token that is worth a review: beyond it the hub would refuse the review itself. */
const MAX_TOKEN_BYTES = 16 * 1024;

/** The bearer token (RFC 6750 §2.1); undefined when there is none, empty when it is malformed or too long. */
export function bearerToken(headers: RawHeaders): string | undefined {
  const value = headerOf(headers, 'authorization');
  if (value === undefined) return undefined;
  const token = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(value)?.[1] ?? '';
  return token.length > MAX_TOKEN_BYTES ? '' : token;
}
