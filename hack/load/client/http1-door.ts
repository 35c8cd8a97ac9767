import { Agent, request } from 'node:https';
import { type Call, type Door, type GivenUp, headersOf, type Seen } from './call.ts';
import { Pace } from './pace.ts';
import { Seeing } from './seeing.ts';
import { send } from './send.ts';

/** HTTP/1.1, as many kept connections as there are requests at once. */
export class Http1Door implements Door {
  readonly protocol = 'http/1.1';
  readonly #url: string;
  readonly #agent: Agent;

  constructor(url: string, ca: string) {
    this.#url = url;
    this.#agent = new Agent({ ca, keepAlive: true });
  }

  ask(call: Call, signal: AbortSignal): Promise<Seen> {
    const { method, path, answerOffset, bytesPerSecond = Number.POSITIVE_INFINITY } = call;
    const seeing = new Seeing(answerOffset);
    const pace = new Pace(bytesPerSecond);
    return new Promise((resolve) => {
      let isWhole = false;
      let isRefused = false;
      const outgoing = request(`${this.#url}${path}`, { agent: this.#agent, method, headers: framedHeaders(call) });
      const giveUp = () => outgoing.destroy();
      signal.addEventListener('abort', giveUp, { once: true });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        isRefused ||= error.code === 'ECONNREFUSED';
      });
      outgoing.once('response', (response) => {
        seeing.head(response.statusCode ?? 0, response.headers);
        call.onHead?.();
        response.on('data', (chunk: Buffer) => {
          seeing.data(chunk);
          pace.took(chunk.length, response);
        });
        response.on('error', () => {}); // 'close' without an end says it
        response.once('end', () => {
          isWhole = response.complete;
        });
      });
      // Comes after 'end', whatever happened.
      outgoing.once('close', () => {
        signal.removeEventListener('abort', giveUp);
        pace.stop();
        if (isWhole) resolve(seeing.as('whole'));
        else if (signal.aborted) resolve(seeing.as(signal.reason as GivenUp));
        else if (seeing.hasHead) resolve(seeing.as('cut'));
        else resolve(seeing.as(isRefused ? 'refused' : 'broken'));
      });
      void send(call, outgoing);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Node frames no body of a DELETE by itself. */
function framedHeaders(call: Call): Record<string, string> {
  const isChunked = call.parts.length > 0 && !call.isSized;
  return { ...headersOf(call), ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}) };
}
