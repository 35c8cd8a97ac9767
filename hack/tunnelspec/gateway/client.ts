import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Duplex } from 'node:stream';

export interface CallOptions {
  readonly method?: string;
  /** Below /clusters/<tunnel>. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request's body stays open for `write` and `end`. */
  readonly hasBody?: boolean;
}

export interface CallTarget {
  readonly url: string;
  readonly ca: string;
  readonly token: string;
  readonly tunnel: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly trailers: IncomingMessage['trailers'];
  /** Whether the body ended cleanly; a cut one did not. */
  readonly isWhole: boolean;
}

/** One request of a client through the gateway, HTTP/1.1 on a connection of its own. */
export class Call {
  readonly request: ClientRequest;
  readonly #response: Promise<IncomingMessage>;
  /** Resolves for an upgrade that was taken up: the raw connection, and what came behind the head. */
  readonly upgraded: Promise<{ socket: Duplex; first: Buffer; response: IncomingMessage }>;

  constructor({ url, ca, token, tunnel }: CallTarget, options: CallOptions) {
    const { method = 'GET', path = '/api/v1/namespaces', headers = {}, hasBody = false } = options;
    this.request = request(`${url}/clusters/${tunnel}${path}`, {
      ca,
      method,
      agent: false,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    this.#response = new Promise((resolve, reject) => {
      this.request.once('response', resolve);
      this.request.once('error', reject);
    });
    this.upgraded = new Promise((resolve, reject) => {
      this.request.once('upgrade', (response, socket, first) => resolve({ socket, first, response }));
      this.request.once('error', reject);
      this.request.once('response', () => reject(new Error('no upgrade')));
    });
    // A call that a case leaves to itself may fail when its peer goes.
    this.#response.catch(() => {});
    this.upgraded.catch(() => {});
    if (hasBody) this.request.flushHeaders();
    else this.request.end();
  }

  /** The head, with a body that nobody reads yet. */
  async response(): Promise<IncomingMessage> {
    const response = await this.#response;
    response.on('error', () => {});
    return response;
  }

  /** The whole answer, however its body ends. */
  async answer(): Promise<Answer> {
    const response = await this.response();
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    await new Promise<void>((resolve) => response.once('close', resolve));
    const { statusCode = 0, headers, trailers, complete } = response;
    return { status: statusCode, headers, body: Buffer.concat(chunks), trailers, isWhole: complete };
  }

  write(chunk: string | Uint8Array): void {
    this.request.write(chunk);
  }

  end(): void {
    this.request.end();
  }

  /** The client goes away. */
  destroy(): void {
    this.request.destroy();
  }
}
