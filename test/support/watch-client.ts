import { createInterface } from 'node:readline';
import { type ApiClient, ApiError, isStatus } from '../../hack/lab/api/client.ts';
import { pause } from '../../hack/lab/pause.ts';
import { News } from './news.ts';

/** How one watch ended: its body was complete, it was cut, or it never began. */
export interface WatchEnd {
  readonly how: 'clean' | 'cut' | 'refused';
  readonly words: string;
}

interface WatchEvent {
  readonly type: string;
  readonly object: { readonly metadata: { readonly name: string; readonly resourceVersion: string } };
}

const RETRY_MS = 100;

/** A watch that goes on after every end from where it was, as informers do. */
export class WatchClient {
  readonly ends: WatchEnd[] = [];
  /** Names of the objects that the watch told of. */
  readonly seen = new Set<string>();
  isOpen = false;
  readonly #client: ApiClient;
  readonly #path: string;
  readonly #stopping = new AbortController();
  readonly #news = new News();
  #version = '';
  #running: Promise<void> = Promise.resolve();

  private constructor(client: ApiClient, path: string) {
    this.#client = client;
    this.#path = path;
  }

  /** Lists `path` and watches from there; resolves when the watch is open. */
  static async open(client: ApiClient, path: string): Promise<WatchClient> {
    const watch = new WatchClient(client, path);
    const list = await client.get<{ metadata: { resourceVersion: string } }>(`${path}?limit=1`);
    watch.#version = list.metadata.resourceVersion;
    watch.#running = watch.#run();
    await watch.until('an open watch', () => watch.isOpen);
    return watch;
  }

  /** Resolves when `isSo`, asked now and whenever something happens to the watch. */
  async until(what: string, isSo: () => boolean, timeoutMs = 30_000): Promise<void> {
    const told = () => `ends so far: ${JSON.stringify(this.ends)}`;
    await this.#news.until(what, () => isSo() || undefined, { timeoutMs, told });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const end = await this.#once();
      this.isOpen = false;
      if (signal.aborted) return;
      this.ends.push(end);
      this.#news.tell();
      if (end.how === 'refused') await pause(RETRY_MS, signal);
    }
  }

  async #once(): Promise<WatchEnd> {
    const path = `${this.#path}?watch=true&allowWatchBookmarks=true&resourceVersion=${this.#version}`;
    try {
      const response = await this.#client.open({ path }, this.#stopping.signal);
      this.isOpen = true;
      this.#news.tell();
      for await (const line of createInterface({ input: response })) this.#told(JSON.parse(line) as WatchEvent);
      return { how: response.complete ? 'clean' : 'cut', words: '' };
    } catch (error) {
      // A version that is too old is news of ours, not of the tunnel: go on from now.
      if (isStatus(error, 410)) this.#version = '0';
      return { how: error instanceof ApiError || !this.isOpen ? 'refused' : 'cut', words: String(error) };
    }
  }

  #told({ object: { metadata } }: WatchEvent): void {
    this.#version = metadata.resourceVersion;
    this.seen.add(metadata.name);
    this.#news.tell();
  }
}
