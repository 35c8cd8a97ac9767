import type { ApiClient } from '../api/client.ts';
import type { ConfigMap, Secret } from '../api/objects.ts';
import { Reflector } from '../api/reflector.ts';
import { pause } from '../pause.ts';
import type { ConfigSources } from './config-sources.ts';

/** All Secrets and ConfigMaps of the cluster, and who waits for the next change of them. */
export class ConfigStore {
  readonly #secrets: Reflector<Secret>;
  readonly #configMaps: Reflector<ConfigMap>;
  /** By namespace. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(client: ApiClient) {
    const onChange = ({ metadata }: Secret | ConfigMap): void => this.#wake(metadata.namespace ?? '');
    this.#secrets = new Reflector<Secret>({ client, path: '/api/v1/secrets', onChange });
    this.#configMaps = new Reflector<ConfigMap>({ client, path: '/api/v1/configmaps', onChange });
  }

  async start(): Promise<void> {
    this.#secrets.start();
    this.#configMaps.start();
    await Promise.all([this.#secrets.synced, this.#configMaps.synced]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#secrets.stop(), this.#configMaps.stop()]);
  }

  sourcesOf(namespace: string): ConfigSources {
    return {
      namespace,
      secret: (name) => this.#secrets.get(namespace, name),
      configMap: (name) => this.#configMaps.get(namespace, name),
    };
  }

  /** Resolves with the next change in `namespace`, after `timeoutMs`, or on abort. */
  async change(namespace: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const wake = (): void => done.abort();
    const waiting = this.#waiting.get(namespace) ?? new Set();
    this.#waiting.set(namespace, waiting.add(wake));
    await pause(timeoutMs, AbortSignal.any([done.signal, signal]));
    waiting.delete(wake);
  }

  #wake(namespace: string): void {
    for (const wake of this.#waiting.get(namespace) ?? []) wake();
  }
}
