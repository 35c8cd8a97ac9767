import { HttpsProxyAgent } from 'https-proxy-agent';
import { codeOf, connectSentence } from '../upstream/upstream-trouble.ts';

/** The only answer to CONNECT that opens the way. */
const ESTABLISHED = 200;

/** What to do about a proxy's refusal, by its status. */
const REMEDIES: Readonly<Record<number, string>> = {
  403: 'allow this destination at the proxy, or name it in noProxy',
  405: 'this proxy knows no CONNECT, or not for this port',
  407: 'it wants credentials, and the agent has none: let the agent through by its address, or name the gateway in noProxy',
  502: 'the proxy cannot reach the gateway',
  503: 'the proxy cannot reach the gateway',
  504: 'the proxy cannot reach the gateway',
};

/** One way out through an HTTP proxy: CONNECT, and what came of it. Holds no TLS: that is the gateway's, end to end. */
export class ProxyHop {
  /** For the one request that goes this way. */
  readonly agent: HttpsProxyAgent<string>;
  readonly #url: string;
  readonly #connection = new AbortController();
  #isPassed = false;

  /** `onRefused` hears, in a sentence, that the proxy does not open the way. */
  constructor(url: string, onRefused: (sentence: string) => void) {
    this.#url = url;
    // The signal is the only hold on a connection whose CONNECT has no answer yet.
    this.agent = new HttpsProxyAgent(url, { signal: this.#connection.signal, noDelay: true });
    this.agent.once('proxyConnect', ({ statusCode }: { readonly statusCode: number }) => {
      this.#isPassed = statusCode === ESTABLISHED;
      if (!this.#isPassed) onRefused(this.#refusal(statusCode));
    });
  }

  /** Whether the proxy opened the way: what fails afterwards fails behind it. */
  get isPassed(): boolean {
    return this.#isPassed;
  }

  /** Why the proxy itself cannot be used. */
  trouble(error: Error): string {
    return `proxy ${this.#url}: ${connectSentence(codeOf(error), error)}`;
  }

  late(timeoutMs: number): string {
    return `proxy ${this.#url}: no answer to CONNECT within ${timeoutMs} ms`;
  }

  /** Cuts the connection, however far it came. */
  close(): void {
    this.#connection.abort();
  }

  #refusal(statusCode: number): string {
    const remedy = REMEDIES[statusCode] ?? 'see its log for the reason';
    return `proxy ${this.#url} answered ${statusCode} to CONNECT: ${remedy}`;
  }
}
