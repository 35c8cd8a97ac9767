import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';

export interface ApiCredentials {
  readonly url: string;
  readonly caPem: string;
  readonly certificatePem?: string;
  readonly keyPem?: string;
  readonly token?: string;
}

export interface ApiCall {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly timeoutMs?: number;
}

/** One of details.causes of a Status. */
export interface Cause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** What an error answer said: of its Status, or of its text. */
interface Refusal {
  readonly reason: string;
  readonly message: string;
  readonly causes: readonly Cause[];
}

/** The API server answered with an error. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The HTTP status. */
  readonly status: number;
  readonly reason: string;
  /** The server's own sentence. */
  readonly words: string;
  readonly causes: readonly Cause[];
  /** Of the Retry-After header; undefined without one. */
  readonly retryAfterSeconds: number | undefined;

  constructor(call: string, response: IncomingMessage, { reason, message, causes }: Refusal) {
    super(`${call}: ${response.statusCode} ${reason}: ${message}`);
    this.status = response.statusCode ?? 0;
    this.reason = reason;
    this.words = message;
    this.causes = causes;
    const retryAfter = response.headers['retry-after'];
    this.retryAfterSeconds = retryAfter === undefined ? undefined : Number(retryAfter);
  }
}

export const STRATEGIC_MERGE = 'application/strategic-merge-patch+json';
const CALL_TIMEOUT_MS = 15_000;

/**
 * A few typed calls to one API server over kept-alive connections.
 * Types are the caller's word: what comes back is trusted, it is the lab's own API server.
 */
export class ApiClient {
  readonly #credentials: ApiCredentials;
  readonly #agent: Agent;

  constructor(credentials: ApiCredentials) {
    this.#credentials = credentials;
    const { caPem, certificatePem, keyPem } = credentials;
    this.#agent = new Agent({ keepAlive: true, ca: caPem, cert: certificatePem, key: keyPem });
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>({ path });
  }

  /** One request, its body parsed. @throws ApiError, or the connection's own error */
  async call<T>(call: ApiCall): Promise<T> {
    const signal = AbortSignal.timeout(call.timeoutMs ?? CALL_TIMEOUT_MS);
    const response = await this.open(call, signal);
    const body = await text(response);
    return (body.startsWith('{') ? JSON.parse(body) : body) as T;
  }

  /** The response as soon as its head is there; the body is the caller's to read. @throws ApiError */
  async open(call: ApiCall, signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#send(call, signal);
    if ((response.statusCode ?? 0) < 300) return response;
    throw new ApiError(`${call.method ?? 'GET'} ${call.path}`, response, refusalOf(await text(response)));
  }

  /** Whether a health endpoint answers 200; no answer is a no. */
  async isOk(path: string): Promise<boolean> {
    try {
      await this.call({ path, timeoutMs: 2_000 });
      return true;
    } catch {
      return false; // refused, reset, late or 500: all the same to who waits for health
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send({ method = 'GET', path, body, contentType }: ApiCall, signal: AbortSignal): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const { url, token } = this.#credentials;
    const headers = {
      accept: 'application/json',
      'user-agent': 'clustertunnel-lab',
      ...(payload && { 'content-type': contentType ?? 'application/json', 'content-length': payload.length }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(`${url}${path}`, { method, headers, agent: this.#agent, signal });
      outgoing.once('error', reject);
      outgoing.once('response', (response) => {
        outgoing.on('error', () => {}); // the body's reader sees it on the response
        resolve(response);
      });
      outgoing.end(payload);
    });
  }
}

function refusalOf(body: string): Refusal {
  try {
    const {
      reason = '',
      message = body,
      details,
    } = JSON.parse(body) as Partial<Refusal> & { details?: Partial<Refusal> };
    return { reason, message, causes: details?.causes ?? [] };
  } catch {
    return { reason: '', message: body.slice(0, 500), causes: [] };
  }
}

/** Whether `error` is the API server's answer with this HTTP status. */
export function isStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}
