import type { IncomingMessage } from 'node:http';
import type { ApiClient } from '../../hack/lab/api/client.ts';

export interface Downloaded {
  readonly body: Buffer;
  /** The answer ended as its framing says; otherwise it was cut, and `words` may say why. */
  readonly isComplete: boolean;
  readonly words: string;
}

/** Read at once, so that the answer is well under way. */
const FIRST_BYTES = 1_000_000;
/** Read from then on, a slow reader's pace: enough that nobody takes him for gone. */
const SIP_BYTES = 256 * 1024;
const SIP_EVERY_MS = 250;
const TIMEOUT_MS = 120_000;

/** An answer that is read slowly until it is told to hurry: something is under way for as long as a test needs. */
export class SlowDownload {
  readonly #response: IncomingMessage;
  readonly #chunks: Buffer[] = [];
  readonly #result: Promise<Downloaded>;
  readonly #sips: NodeJS.Timeout;
  #begun: () => void = () => {};
  #bytes = 0;
  #allowedBytes = FIRST_BYTES;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.#sips = setInterval(() => this.#allow(SIP_BYTES), SIP_EVERY_MS);
    this.#result = this.#read();
  }

  /** Resolves when the first megabyte has come. @throws ApiError */
  static async start(client: ApiClient, path: string): Promise<SlowDownload> {
    const download = new SlowDownload(await client.open({ path }, AbortSignal.timeout(TIMEOUT_MS)));
    const begun = new Promise<void>((resolve) => {
      download.#begun = resolve;
    });
    const ended = download.#result.then(({ words }) => {
      throw new Error(`the download ended before it had begun: ${words}`);
    });
    await Promise.race([begun, ended]);
    ended.catch(() => {}); // it began: what the end is like is finish()'s to tell
    return download;
  }

  /** Takes nothing more until finish(). */
  rest(): void {
    clearInterval(this.#sips);
  }

  /** Reads the rest as fast as it comes. */
  finish(): Promise<Downloaded> {
    this.#allow(Number.POSITIVE_INFINITY);
    return this.#result;
  }

  /** The end, without hurrying. */
  get ended(): Promise<Downloaded> {
    return this.#result;
  }

  /** The reader goes away, if he still reads. */
  async stop(): Promise<void> {
    this.#response.destroy();
    await this.#result;
  }

  #allow(bytes: number): void {
    this.#allowedBytes += bytes;
    this.#response.resume();
  }

  #read(): Promise<Downloaded> {
    const response = this.#response;
    return new Promise((resolve) => {
      const done = (words: string): void => {
        clearInterval(this.#sips);
        resolve({ body: Buffer.concat(this.#chunks), isComplete: response.complete && words === '', words });
      };
      response.on('data', (chunk: Buffer) => {
        this.#chunks.push(chunk);
        this.#bytes += chunk.length;
        if (this.#bytes >= FIRST_BYTES) this.#begun();
        if (this.#bytes >= this.#allowedBytes) response.pause();
      });
      response.once('end', () => done(''));
      response.once('error', (error) => done(String(error)));
      response.once('close', () => done('the connection was closed'));
    });
  }
}
