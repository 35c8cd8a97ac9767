import type { ApiClient } from '../api/client.ts';
import type { Ledger } from '../processes/ledger.ts';
import type { ConfigSources } from './config-sources.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { ImageMap } from './image.ts';
import type { BackoffLimits } from './restart-backoff.ts';

/** What the pods of one node share. */
export interface NodeContext {
  readonly nodeName: string;
  readonly hostIP: string;
  /** Each pod has a folder of its own below. */
  readonly podsFolder: string;
  readonly client: ApiClient;
  readonly apiServer: { readonly host: string; readonly port: string };
  readonly images: ImageMap;
  readonly backoff: BackoffLimits;
  readonly ledger: Ledger;
  readonly events: EventRecorder;
  sourcesOf(namespace: string): ConfigSources;
  /** Resolves with the next change of a Secret or ConfigMap in `namespace`, or after `timeoutMs`, or on abort. */
  configChange(namespace: string, timeoutMs: number, signal: AbortSignal): Promise<void>;
}
