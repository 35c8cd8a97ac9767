import { type ApiClient, ApiError } from '../../hack/lab/api/client.ts';
import { pause } from '../../hack/lab/pause.ts';
import { News } from './news.ts';

/** How one request ended. */
export interface Outcome {
  readonly startedMs: number;
  readonly tookMs: number;
  /** HTTP status; 0: the connection gave no whole answer. */
  readonly status: number;
  /** What the answer or the connection's error said; empty when all was well. */
  readonly words: string;
  /** The first cause's reason and field: what failed, and at which hop. */
  readonly code: string;
  readonly hop: string;
  readonly retryAfterSeconds: number | undefined;
}

const EVERY_MS = 50;
const TIMEOUT_MS = 45_000;

/** One request after the other, for as long as something happens: what a user would have seen of it. */
export class SteadyClient {
  readonly outcomes: Outcome[] = [];
  readonly #client: ApiClient;
  readonly #path: string;
  readonly #news = new News();
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(client: ApiClient, path: string) {
    this.#client = client;
    this.#path = path;
    this.#running = this.#run();
  }

  /** Those that did not end with 200. */
  get failures(): Outcome[] {
    return this.outcomes.filter(({ status }) => status !== 200);
  }

  /** The first request that is started from now on and ends so. */
  next(what: string, isSo: (outcome: Outcome) => boolean, timeoutMs = 30_000): Promise<Outcome> {
    const fromMs = Date.now();
    const look = () => this.outcomes.findLast((outcome) => outcome.startedMs >= fromMs && isSo(outcome));
    return this.#news.until(what, look, { timeoutMs, told: () => told(this.outcomes.at(-1)) });
  }

  /** Lets the running request end; every outcome. */
  async stop(): Promise<readonly Outcome[]> {
    this.#stopping.abort();
    await this.#running;
    return this.outcomes;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const outcome = await ask(this.#client, this.#path);
      this.outcomes.push(outcome);
      this.#news.tell();
      await pause(EVERY_MS, signal);
    }
  }
}

/** One GET, however it ends. */
export async function ask(client: ApiClient, path: string): Promise<Outcome> {
  const startedMs = Date.now();
  const ended = (outcome: Partial<Outcome>): Outcome => {
    const tookMs = Date.now() - startedMs;
    return { startedMs, tookMs, status: 0, words: '', code: '', hop: '', retryAfterSeconds: undefined, ...outcome };
  };
  try {
    await client.call({ path, timeoutMs: TIMEOUT_MS });
    return ended({ status: 200 });
  } catch (error) {
    if (!(error instanceof ApiError)) return ended({ words: String(error) });
    const { status, words, retryAfterSeconds } = error;
    const { reason: code = '', field: hop = '' } = error.causes[0] ?? {};
    return ended({ status, words, code, hop, retryAfterSeconds });
  }
}

/** For messages. */
export function told(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'no request yet';
  const { status, code, hop, words, tookMs } = outcome;
  return `${status} ${code} ${hop} after ${tookMs} ms: ${words}`;
}
