import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Duplex } from 'node:stream';
import { within } from '../expect.ts';

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
  /** How long an answer, or the next step of one, may take, in ms. */
  readonly patienceMs: number;
}

/** A connection after its upgrade was taken up. */
export interface Upgraded {
  readonly socket: Duplex;
  /** What came behind the head. */
  readonly first: Buffer;
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
  readonly #patienceMs: number;
  readonly #response: Promise<IncomingMessage>;
  readonly #upgraded: Promise<Upgraded>;

  constructor({ url, ca, token, tunnel, patienceMs }: CallTarget, options: CallOptions) {
    this.#patienceMs = patienceMs;
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
    this.#upgraded = new Promise((resolve, reject) => {
      this.request.once('upgrade', (_response, socket, first) => {
        socket.on('error', () => {});
        resolve({ socket, first });
      });
      this.request.once('error', reject);
      this.request.once('response', () => reject(new Error('no upgrade')));
    });
    // A call that a case leaves to itself may fail when its peer goes, more than once.
    this.request.on('error', () => {});
    this.#response.catch(() => {});
    this.#upgraded.catch(() => {});
    if (hasBody) this.request.flushHeaders();
    else this.request.end();
  }

  /** The head, with a body that nobody reads yet. */
  async response(): Promise<IncomingMessage> {
    const response = await within('an answer', this.#patienceMs, this.#response);
    response.on('error', () => {});
    return response;
  }

  /** The connection of an upgrade that was taken up. */
  upgraded(): Promise<Upgraded> {
    return within('an answer to the upgrade', this.#patienceMs, this.#upgraded);
  }

  /** The whole answer, however its body ends. */
  async answer(): Promise<Answer> {
    const response = await this.response();
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    await within('the end of the answer', this.#patienceMs, closed);
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
