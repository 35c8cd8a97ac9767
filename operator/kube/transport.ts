import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { type Clock, pause } from '../../process/clock.ts';
import { VERSION } from '../../process/version.ts';
import { type CredentialSource, type Credentials, credentialSource } from './credentials.ts';
import { type ConnectionLimits, DispatcherCache, type Dispatchers } from './dispatchers.ts';
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

/** What one API server may cost, in connections, bytes and time. */
export interface TransportLimits extends ConnectionLimits {
  /** A call with all its retries. */
  readonly callTimeoutMs: number;
  /** Until the head of an answer is there. */
  readonly headersTimeoutMs: number;
  /** The first one included. */
  readonly maxAttempts: number;
}

/** Limits that are not named fit our own API server. */
export interface TransportOptions extends Partial<TransportLimits> {
  readonly config: KubeConfig;
  readonly clock: Clock;
  /** Told of every answer; status 0 is none. */
  readonly observe?: (answer: { method: Method; host: string; status: number }) => void;
}

const DEFAULT_LIMITS: TransportLimits = {
  maxConnections: 2,
  connectTimeoutMs: 10_000,
  // A page of 500 objects of 64 KiB. Beyond it something is wrong, and memory is finite.
  maxResponseBytes: 64 * 2 ** 20,
  callTimeoutMs: 30_000,
  headersTimeoutMs: 20_000,
  maxAttempts: 4,
};
/** A Status with all its causes. Streams are not measured otherwise. */
const MAX_ERROR_BYTES = 64 * 1024;
/** Nobody's Retry-After makes us wait longer: the work queue has its own backoff. */
const MAX_RETRY_AFTER_MS = 10_000;

/** A pooled transport to the config's current cluster. */
export function createTransport(options: TransportOptions): Transport {
  const source = credentialSource(options.config, options.clock);
  const limits: TransportLimits = { ...DEFAULT_LIMITS, ...options };
  const dispatchers = new DispatcherCache(limits);
  const { observe = () => {} } = options;
  const wire: Wire = { source, dispatchers, observe, limits, clock: options.clock, host: new URL(source.server).host };
  return {
    server: source.server,
    async call(call, signal) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(limits.callTimeoutMs)]);
      try {
        const response = await withRetries(wire, deadline, call, () => send(wire, 'calls', call, deadline));
        return await readJson(call, response, deadline);
      } catch (error) {
        signal.throwIfAborted();
        if (!deadline.aborted || error instanceof ApiError) throw error;
        const cause = new Error(`no answer in ${limits.callTimeoutMs} ms`);
        throw new UnreachableError(`${call.method} ${source.server}${call.path}`, { cause });
      }
    },
    async stream(call, signal) {
      const { body } = await send(wire, 'streams', call, signal);
      return untilBroken(body, call, signal);
    },
    close: () => dispatchers.close(),
  };
}

interface Wire {
  readonly source: CredentialSource;
  readonly dispatchers: DispatcherCache;
  readonly observe: NonNullable<TransportOptions['observe']>;
  readonly limits: TransportLimits;
  readonly clock: Clock;
  readonly host: string;
}

async function send(wire: Wire, pool: keyof Dispatchers, call: Call, signal: AbortSignal) {
  signal.throwIfAborted();
  const credentials = await wire.source.current();
  const request = requestOf(wire, call, credentials, signal);
  const dispatcher = wire.dispatchers.for(credentials.tls)[pool];
  let response: Dispatcher.ResponseData;
  try {
    response = await dispatcher.request(request);
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

function requestOf({ source, limits }: Wire, call: Call, { headers }: Credentials, signal: AbortSignal) {
  const url = new URL(source.server);
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
    headersTimeout: limits.headersTimeoutMs,
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
  const body = await beginningOf(response.body).catch(() => '');
  return apiErrorOf(response.statusCode, body, Array.isArray(retryAfter) ? retryAfter[0] : retryAfter);
}

/** As much as an error may take. The rest of a longer body is not read. */
async function beginningOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= MAX_ERROR_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, Math.min(length, MAX_ERROR_BYTES));
}

/** The body's bytes. @throws UnreachableError when it breaks off, the signal's reason when aborted. */
async function* untilBroken(body: AsyncIterable<Uint8Array>, { method, path }: Call, signal: AbortSignal) {
  try {
    yield* body;
  } catch (error) {
    signal.throwIfAborted();
    throw new UnreachableError(`${method} ${path}: the stream broke off`, { cause: error });
  }
}

async function readJson(call: Call, response: Dispatcher.ResponseData, signal: AbortSignal): Promise<unknown> {
  try {
    return await response.body.json();
  } catch (error) {
    signal.throwIfAborted();
    throw new UnreachableError(`${call.method} ${call.path}: the answer broke off`, { cause: error });
  }
}

async function withRetries<T>(
  { clock, limits }: Wire,
  signal: AbortSignal,
  call: Call,
  attempt: () => Promise<T>,
): Promise<T> {
  const endMs = clock.nowMs() + limits.callTimeoutMs;
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      const delayMs = attempts < limits.maxAttempts ? retryDelayMs(error, call, attempts) : undefined;
      // Waiting beyond the deadline would only turn the server's own words into "no answer".
      if (delayMs === undefined || clock.nowMs() + delayMs >= endMs) throw error;
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
