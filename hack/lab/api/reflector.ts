import { createInterface } from 'node:readline';
import { pause } from '../pause.ts';
import type { ApiClient } from './client.ts';
import type { KubeObject } from './objects.ts';

export interface ReflectorOptions<T> {
  readonly client: ApiClient;
  /** The collection, without a query. */
  readonly path: string;
  /** labelSelector or fieldSelector, URL-encoded. */
  readonly query?: string;
  readonly onChange?: (object: T, change: 'present' | 'gone') => void;
}

interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

const WATCH_SECONDS = 240;
/** After this the watch is taken for half-open even if the API server did not end it. */
const WATCH_LIMIT_MS = (WATCH_SECONDS + 30) * 1000;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 3_000;

/** A local copy of one collection that follows it for ever: list, watch, and list again after whatever went wrong. */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #markSynced: () => void = () => {};
  /** Settles with the first complete list. */
  readonly synced: Promise<void>;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  start(): void {
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  items(): T[] {
    return [...this.#objects.values()];
  }

  async #follow(): Promise<void> {
    let retryMs = MIN_RETRY_MS;
    while (!this.#stopping.signal.aborted) {
      try {
        let version = await this.#list();
        retryMs = MIN_RETRY_MS;
        this.#markSynced();
        for (;;) version = await this.#watch(version);
      } catch {
        // Refused, reset, 410, a lost watch: the answer to all of them is a new list.
        await pause(retryMs, this.#stopping.signal);
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
      }
    }
  }

  async #list(): Promise<string> {
    const list = await this.#options.client.get<{ metadata: { resourceVersion: string }; items?: T[] }>(this.#path(''));
    const items = list.items ?? [];
    const present = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, object] of this.#objects) {
      if (present.get(key)?.metadata.uid !== object.metadata.uid) this.#remove(object);
    }
    for (const item of items) this.#put(item);
    return list.metadata.resourceVersion;
  }

  /** Follows one watch to its regular end; returns the version to go on from. */
  async #watch(from: string): Promise<string> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(WATCH_LIMIT_MS)]);
    const path = this.#path(
      `watch=true&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${from}`,
    );
    const response = await this.#options.client.open({ path }, signal);
    let version = from;
    // readline does not pass the stream's error on, so a cut watch ends the loop like a regular end: look afterwards.
    for await (const line of createInterface({ input: response })) {
      const { type, object } = JSON.parse(line) as WatchEvent<T>;
      if (type === 'ERROR') throw new Error('the watch was ended with an error');
      version = object.metadata.resourceVersion;
      if (type === 'DELETED') this.#remove(object);
      else if (type !== 'BOOKMARK') this.#put(object);
    }
    if (!response.complete) throw new Error('the watch was cut');
    return version;
  }

  #put(object: T): void {
    const known = this.#objects.get(keyOf(object));
    if (known?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(keyOf(object), object);
    this.#options.onChange?.(object, 'present');
  }

  #remove(object: T): void {
    this.#objects.delete(keyOf(object));
    this.#options.onChange?.(object, 'gone');
  }

  #path(query: string): string {
    const queries = [this.#options.query, query].filter((part) => part);
    return `${this.#options.path}${queries.length > 0 ? '?' : ''}${queries.join('&')}`;
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
