import { ceilingMs } from '../../process/backoff.ts';
import { type Clock, pause } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { KubeClient } from './client.ts';
import { type ApiError, apiErrorOf, isExpired } from './errors.ts';
import type { KubeObject, ObjectAddress, Resource } from './objects.ts';
import type { Store } from './store.ts';
import type { Query } from './transport.ts';

/** Source: client-go tools/cache/reflector.go. */
const MIN_BACKOFF_MS = 800;
const MAX_BACKOFF_MS = 30_000;
/** A watch that held this long was healthy: the next failure starts from the shortest delay. */
const HEALTHY_AFTER_MS = 120_000;
const PAGE_SIZE = 500;
/** The server ends each watch after a random time in [min, 2 × min), so that many clients do not come back at once. */
const MIN_WATCH_SECONDS = 300;
/** Bookmarks come about once a minute: more than two missed means that the connection is dead. */
const INACTIVITY_MS = 150_000;
const LOG_EVERY_ATTEMPTS = 10;

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly resource: Resource;
  readonly address?: ObjectAddress;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects in one page of a list; fewer where they are large. */
  readonly pageSize?: number;
  /** What is stored of an object; undefined: nothing of it. Default: all. */
  readonly select?: (object: T) => T | undefined;
  /** Beyond it the list is refused: for API servers that are not ours. Default: none. */
  readonly maxObjects?: number;
  readonly store: Store<T>;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 <= random() < 1. */
  readonly random: () => number;
}

/**
 * Keeps a Store equal to what the API server holds: list, then watch from there, for ever.
 *
 *   list ──► watch ──► watch ──► …        a watch that ends resumes from the last version seen
 *     ▲        │ 410
 *     └────────┘                          too old to resume: list again
 *
 * Errors wait 800 ms to 30 s, growing, and are never final.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #address: ObjectAddress;
  #version: string | undefined;
  #failures = 0;
  #hasSynced = false;
  #lastError: Error | undefined;
  #resolveSynced: () => void = () => {};
  /** Resolves after the first complete list. */
  readonly synced: Promise<void>;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#address = options.address ?? {};
    this.synced = new Promise((resolve) => {
      this.#resolveSynced = resolve;
    });
  }

  /** Whether the store has held the whole world once. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Why the last list or watch failed; undefined while all is well. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const startedMs = clock.nowMs();
      try {
        if (this.#version === undefined) await this.#list(signal);
        await this.#watch(signal);
        this.#lastError = undefined;
        // A watch that ends at once must not become a busy loop.
        if (clock.nowMs() - startedMs < MIN_BACKOFF_MS) await this.#backOff(signal);
        else this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (clock.nowMs() - startedMs >= HEALTHY_AFTER_MS) this.#failures = 0;
        this.#note(error);
        await this.#backOff(signal);
      }
    }
  }

  #note(error: unknown): void {
    const { log, resource } = this.#options;
    this.#lastError = error instanceof Error ? error : new Error(String(error));
    if (isExpired(error)) {
      this.#version = undefined;
      log.debug('watch expired', { kind: resource.kind, ...this.#address });
    } else {
      const attempt = this.#failures + 1;
      // Retries go on for ever: one line at the start, then one now and then.
      const level = attempt % LOG_EVERY_ATTEMPTS === 1 ? 'warn' : 'debug';
      log[level]('watch failed', { kind: resource.kind, ...this.#address, attempt, error });
    }
  }

  async #backOff(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    this.#failures++;
    const ceiling = ceilingMs(this.#failures, MIN_BACKOFF_MS, MAX_BACKOFF_MS);
    // Rejects only when stopped, and then run() ends by itself.
    await pause(clock, ceiling * (0.5 + random() / 2), signal).catch(() => {});
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    const items: T[] = [];
    let next: string | undefined;
    let version: string | undefined;
    do {
      const page = await this.#page(next, signal);
      items.push(...page.items.flatMap((item) => this.#selected(item) ?? []));
      this.#checkSize(items.length);
      next = page.metadata.continue === '' ? undefined : page.metadata.continue;
      version = page.metadata.resourceVersion;
    } while (next !== undefined);
    store.replaceAll(items);
    this.#version = version;
    this.#lastError = undefined;
    if (!this.#hasSynced) {
      this.#hasSynced = true;
      this.#resolveSynced();
    }
  }

  #page(next: string | undefined, signal: AbortSignal) {
    const { client, resource, labelSelector, fieldSelector, pageSize = PAGE_SIZE } = this.#options;
    const query: Query = { limit: pageSize, labelSelector, fieldSelector, continue: next };
    return client.list<T>(resource, this.#address, query, signal);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, clock, resource, labelSelector, fieldSelector, random } = this.#options;
    const query: Query = {
      resourceVersion: this.#version,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.floor(MIN_WATCH_SECONDS * (1 + random())),
      labelSelector,
      fieldSelector,
    };
    const silence = new AbortController();
    const fallSilent = () => silence.abort(new Error(`no event and no bookmark for ${INACTIVITY_MS} ms`));
    let cancel = clock.after(INACTIVITY_MS, fallSilent);
    try {
      const either = AbortSignal.any([signal, silence.signal]);
      for await (const event of client.watch(resource, this.#address, query, either)) {
        cancel();
        cancel = clock.after(INACTIVITY_MS, fallSilent);
        this.#take(event);
      }
    } finally {
      cancel();
    }
  }

  #take(event: unknown): void {
    const { type, object } = event as { readonly type: string; readonly object: T };
    if (type === 'ERROR') throw errorOf(object);
    this.#version = object.metadata.resourceVersion ?? this.#version;
    this.#failures = 0;
    const { store } = this.#options;
    if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') return;
    const selected = this.#selected(object);
    // What is no longer selected is gone, as far as the store goes.
    if (type === 'DELETED' || selected === undefined) store.delete(selected ?? this.#complete(object));
    else store.set(selected);
    this.#checkSize(store.size);
  }

  #checkSize(objects: number): void {
    const { maxObjects = Number.POSITIVE_INFINITY, resource } = this.#options;
    if (objects <= maxObjects) return;
    this.#version = undefined;
    throw new RangeError(`more than ${maxObjects} ${resource.plural}`);
  }

  #selected(object: T): T | undefined {
    const { select = (whole) => whole } = this.#options;
    return select(this.#complete(object));
  }

  /** Items of a list carry no kind; nobody here needs managedFields, which are half of many objects. */
  #complete(object: T): T {
    const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
    const { apiVersion, kind } = this.#options.resource;
    return { ...object, apiVersion, kind, metadata };
  }
}

function errorOf(status: unknown): ApiError {
  const code = (status as { code?: unknown }).code;
  return apiErrorOf(typeof code === 'number' ? code : 500, JSON.stringify(status), undefined);
}
