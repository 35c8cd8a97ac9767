import { randomBytes } from 'node:crypto';
import type { ApiClient } from '../api/client.ts';
import type { Pod } from '../api/pod.ts';

/** The same sentence about the same pod is not said again sooner. */
const REPEAT_AFTER_MS = 60_000;
const MAX_REMEMBERED = 1_000;

/** Writes the kubelet's Events about pods; losing one is no harm. */
export class EventRecorder {
  readonly #client: ApiClient;
  readonly #nodeName: string;
  readonly #saidMs = new Map<string, number>();

  constructor(client: ApiClient, nodeName: string) {
    this.#client = client;
    this.#nodeName = nodeName;
  }

  record({ metadata }: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const key = `${metadata.uid} ${reason} ${message}`;
    const nowMs = Date.now();
    if (nowMs - (this.#saidMs.get(key) ?? 0) < REPEAT_AFTER_MS) return;
    if (this.#saidMs.size >= MAX_REMEMBERED) this.#saidMs.clear();
    this.#saidMs.set(key, nowMs);
    const timestamp = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
    const body = {
      metadata: { name: `${metadata.name}.${randomBytes(8).toString('hex')}`, namespace: metadata.namespace },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
      },
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: timestamp,
      lastTimestamp: timestamp,
      source: { component: 'process-node', host: this.#nodeName },
      reportingComponent: 'process-node',
      reportingInstance: this.#nodeName,
    };
    const path = `/api/v1/namespaces/${metadata.namespace}/events`;
    this.#client.call({ method: 'POST', path, body }).catch(() => {}); // the API server is away, or the namespace goes
  }
}
