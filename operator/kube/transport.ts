import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { type Clock, pause } from '../../process/clock.ts';
import { VERSION } from '../../process/version.ts';
import { type CredentialSource, type Credentials, credentialSource } from './credentials.ts';
import { DispatcherCache, type Dispatchers } from './dispatchers.ts';
import { ApiError, apiErrorOf, UnreachableError } from './errors.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  readonly method: Method;
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly contentType?: string;
}

/** One API server: raw JSON in and out over pooled connections. */
export interface Transport {
  readonly server: string;
  /** @throws ApiError for an answer beyond 2xx, UnreachableError for none, the signal's reason when aborted. */
  call(call: Call, signal: AbortSignal): Promise<unknown>;
  /** The body as it arrives, until either end closes it. The same errors as call(). */
  stream(call: Call, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly config: KubeConfig;
  readonly clock: Clock;
  /** Connections that calls share; watches have their own. */
  readonly maxConnections?: number;
  /** Told of every answer; status 0 is none. */
  readonly observe?: (answer: { method: Method; host: string; status: number }) => void;
}

const DEFAULT_MAX_CONNECTIONS = 2;
/** A call with all its retries. */
const CALL_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 20_000;
const MAX_ATTEMPTS = 4;
/** Nobody's Retry-After makes us wait longer: the work queue has its own backoff. */
const MAX_RETRY_AFTER_MS = 10_000;

/** A pooled transport to the config's current cluster. */
export function createTransport(options: TransportOptions): Transport {
  const source = credentialSource(options.config, options.clock);
  const dispatchers = new DispatcherCache(options.maxConnections ?? DEFAULT_MAX_CONNECTIONS);
  const wire: Wire = { source, dispatchers, observe: options.observe ?? (() => {}), host: new URL(source.server).host };
  return {
    server: source.server,
    async call(call, signal) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
      try {
        const response = await withRetries(options.clock, deadline, call, () => send(wire, 'calls', call, deadline));
        return await readJson(call, response, deadline);
      } catch (error) {
        signal.throwIfAborted();
        if (!deadline.aborted || error instanceof ApiError) throw error;
        throw new UnreachableError(`${call.method} ${source.server}${call.path}: no answer in ${CALL_TIMEOUT_MS} ms`);
      }
    },
    async stream(call, signal) {
      return (await send(wire, 'streams', call, signal)).body;
    },
    close: () => dispatchers.close(),
  };
}

interface Wire {
  readonly source: CredentialSource;
  readonly dispatchers: DispatcherCache;
  readonly observe: NonNullable<TransportOptions['observe']>;
  readonly host: string;
}

async function send(wire: Wire, pool: keyof Dispatchers, call: Call, signal: AbortSignal) {
  signal.throwIfAborted();
  const credentials = await wire.source.current();
  const request = requestOf(wire.source.server, call, credentials, signal);
  let response: Dispatcher.ResponseData;
  try {
    response = await wire.dispatchers.for(credentials.tls)[pool].request(request);
  } catch (error) {
    signal.throwIfAborted();
    wire.observe({ method: call.method, host: wire.host, status: 0 });
    throw new UnreachableError(`${call.method} ${wire.source.server}${call.path}`, { cause: error });
  }
  wire.observe({ method: call.method, host: wire.host, status: response.statusCode });
  if (response.statusCode >= 200 && response.statusCode < 300) return response;
  if (response.statusCode === 401) wire.source.renew();
  throw await errorOf(response);
}

function requestOf(server: string, call: Call, { headers }: Credentials, signal: AbortSignal) {
  const url = new URL(server);
  return {
    origin: url.origin,
    path: `${url.pathname === '/' ? '' : url.pathname}${call.path}${queryText(call.query)}`,
    method: call.method,
    headers: {
      accept: 'application/json',
      'user-agent': `clustertunnel/${VERSION}`,
      ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
      ...headers,
    },
    body: call.body === undefined ? null : JSON.stringify(call.body),
    headersTimeout: HEADERS_TIMEOUT_MS,
    signal,
  } as const;
}

function queryText(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}

async function errorOf(response: Dispatcher.ResponseData): Promise<ApiError> {
  const retryAfter = response.headers['retry-after'];
  // A body that breaks off tells less, but the status code is known.
  const body = await response.body.text().catch(() => '');
  return apiErrorOf(response.statusCode, body, Array.isArray(retryAfter) ? retryAfter[0] : retryAfter);
}

async function readJson(call: Call, response: Dispatcher.ResponseData, signal: AbortSignal): Promise<unknown> {
  try {
    return await response.body.json();
  } catch (error) {
    signal.throwIfAborted();
    throw new UnreachableError(`${call.method} ${call.path}: the answer broke off`, { cause: error });
  }
}

async function withRetries<T>(clock: Clock, signal: AbortSignal, call: Call, attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      const delayMs = attempts < MAX_ATTEMPTS ? retryDelayMs(error, call, attempts) : undefined;
      if (delayMs === undefined) throw error;
      await pause(clock, delayMs, signal);
    }
  }
}

/**
 * When to try again; undefined: never. 429 was not executed and 503 with Retry-After asks to come back; 401 gets one
 * look at fresh credentials; a lost connection is retried for reads only, since a write may have been executed.
 */
function retryDelayMs(error: unknown, { method }: Call, attempts: number): number | undefined {
  if (error instanceof UnreachableError) return method === 'GET' ? 500 : undefined;
  if (!(error instanceof ApiError)) return undefined;
  const { status, retryAfterSeconds } = error;
  if (status === 401) return attempts === 1 ? 0 : undefined;
  if (status === 429) return Math.min((retryAfterSeconds ?? 1) * 1_000, MAX_RETRY_AFTER_MS);
  if (status === 503 && retryAfterSeconds !== undefined) return Math.min(retryAfterSeconds * 1_000, MAX_RETRY_AFTER_MS);
  return undefined;
}
