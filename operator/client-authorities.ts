import type { Clock } from '../process/clock.ts';
import type { Logger } from '../process/log.ts';
import type { KubeClient } from './kube/client.ts';
import { type DataObject, RESOURCES } from './kube/objects.ts';
import { Reflector } from './kube/reflector.ts';
import { Store } from './kube/store.ts';

/** Where an API server says whose client certificates it takes. Source: kube-apiserver, clusterauthenticationtrust. */
const NAMESPACE = 'kube-system';
const NAME = 'extension-apiserver-authentication';
const KEY = 'client-ca-file';

export interface ClientAuthoritiesOptions {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** PEM bundle; empty when the hub takes no client certificates. */
  readonly onChange: (pem: string) => void;
}

/** Watches the bundle of the hub's API server until the signal aborts. Without the right to read it nothing is known of it. */
export function watchClientAuthorities(options: ClientAuthoritiesOptions, signal: AbortSignal): void {
  const { onChange, ...shared } = options;
  const store = new Store<DataObject>({
    onChange: ({ object, isGone }) => onChange((isGone ? undefined : object.data?.[KEY]) ?? ''),
  });
  const reflector = new Reflector<DataObject>({
    ...shared,
    resource: RESOURCES.configMap,
    address: { namespace: NAMESPACE },
    fieldSelector: `metadata.name=${NAME}`,
    store,
  });
  // A hub without the ConfigMap takes no client certificates.
  void reflector.synced.then(() => (store.size === 0 ? onChange('') : undefined));
  // Errors are never final to it, and it logs them.
  void reflector.run(signal);
}
