import {
  AUTHORITY_SECRET,
  type KeepOptions,
  type KeptCertificates,
  renewCertificates,
  SERVING_SECRET,
} from './gateway/front/keep-certificates.ts';
import type { KubeClient } from './kube/client.ts';
import { type DataObject, RESOURCES } from './kube/objects.ts';
import { Reflector } from './kube/reflector.ts';
import { Store } from './kube/store.ts';

export interface CertificatesOptions {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly keep: KeepOptions;
  readonly random: () => number;
  /** As they are now; maybe nothing changed. */
  readonly onKept: (kept: KeptCertificates) => void;
}

/** Renews the authority and the serving certificate in time and follows their Secrets, until the signal aborts. */
export function followCertificates({ client, keep, random, onKept }: CertificatesOptions, signal: AbortSignal): void {
  const { namespace, clock, log } = keep;
  const renewal = renewCertificates(keep, onKept);
  signal.addEventListener('abort', renewal.stop);
  const reflector = new Reflector<DataObject>({
    ...{ client, clock, log, random },
    resource: RESOURCES.secret,
    address: { namespace },
    fieldSelector: 'type=kubernetes.io/tls',
    // Their data is read when it is looked at.
    select: ({ apiVersion, kind, metadata }) => (isOurs(metadata.name) ? { apiVersion, kind, metadata } : undefined),
    store: new Store<DataObject>({ onChange: renewal.soon }),
  });
  // Errors are never final to it, and it logs them.
  void reflector.run(signal);
}

function isOurs(name: string): boolean {
  return name === AUTHORITY_SECRET || name === SERVING_SECRET;
}
