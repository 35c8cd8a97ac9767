import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { type Call, type Door, type GivenUp, headersOf, type Seen } from './call.ts';
import { Pace } from './pace.ts';
import { Seeing } from './seeing.ts';
import { send } from './send.ts';

/** HTTP/2: one connection, and the next when it broke. */
export class Http2Door implements Door {
  readonly protocol = 'h2';
  readonly #url: URL;
  readonly #ca: string;
  #connection: Connection | undefined;

  constructor(url: string, ca: string) {
    this.#url = new URL(url);
    this.#ca = ca;
  }

  ask(call: Call, signal: AbortSignal): Promise<Seen> {
    const { method, path, answerOffset, bytesPerSecond = Number.POSITIVE_INFINITY } = call;
    const seeing = new Seeing(answerOffset);
    const pace = new Pace(bytesPerSecond);
    const connection = this.#connected();
    const stream = connection.request(
      { ':method': method, ':path': `${this.#url.pathname}${path}`, ...headersOf(call) },
      { endStream: call.parts.length === 0 },
    );
    return new Promise((resolve) => {
      let isWhole = false;
      let isRefused = false;
      const giveUp = () => stream.destroy();
      signal.addEventListener('abort', giveUp, { once: true });
      stream.on('error', (error: NodeJS.ErrnoException) => {
        isRefused ||= error.code === 'ECONNREFUSED';
      });
      stream.once('response', (headers) => {
        seeing.head(Number(headers[':status']), headers);
        call.onHead?.();
      });
      stream.on('data', (chunk: Buffer) => {
        seeing.data(chunk);
        pace.took(chunk.length, stream);
      });
      // Node says 'end' after a reset too.
      stream.once('end', () => {
        const isEnded = stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted;
        isWhole = isEnded && seeing.hasHead && !signal.aborted;
      });
      stream.once('close', () => {
        signal.removeEventListener('abort', giveUp);
        pace.stop();
        if (isWhole) resolve(seeing.as('whole'));
        else if (signal.aborted) resolve(seeing.as(signal.reason as GivenUp));
        else if (seeing.hasHead) resolve(seeing.as('cut'));
        else resolve(seeing.as(isRefused ? 'refused' : 'broken'));
      });
      void send(call, stream);
    });
  }

  close(): void {
    this.#connection?.end();
  }

  #connected(): Connection {
    if (this.#connection?.isUsable !== true) this.#connection = new Connection(this.#url.origin, this.#ca);
    return this.#connection;
  }
}

/** One connection and what is under way on it. */
class Connection {
  readonly #session: ClientHttp2Session;
  readonly #streams = new Set<ClientHttp2Stream>();

  constructor(origin: string, ca: string) {
    this.#session = connect(origin, { ca });
    this.#session.on('error', () => {}); // its streams say so
    // Node forgets requests that waited for a connection which closed without an error.
    this.#session.once('close', () => {
      for (const stream of this.#streams) stream.destroy();
    });
  }

  get isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  request(...asked: Parameters<ClientHttp2Session['request']>): ClientHttp2Stream {
    const stream = this.#session.request(...asked);
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    return stream;
  }

  end(): void {
    this.#session.destroy();
  }
}
