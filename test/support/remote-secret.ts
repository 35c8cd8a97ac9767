import { readFileSync } from 'node:fs';
import { kubeconfig } from '../../hack/lab/cluster/kubeconfig.ts';
import type { Cluster } from '../../hack/lab/lab.ts';

/** As far as tests change it. */
export interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: Readonly<Record<string, unknown>> }[];
  readonly users: readonly { readonly name: string; readonly user: Readonly<Record<string, unknown>> }[];
  readonly [field: string]: unknown;
}

/** The administrator's kubeconfig of a cluster, everything inline. */
export function adminKubeconfig({ kubeconfigPath }: Cluster): Kubeconfig {
  return JSON.parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
}

/** A kubeconfig with a bearer token. */
export function tokenKubeconfig({ name, url, caPem }: Cluster, token: string): Kubeconfig {
  return kubeconfig({ cluster: name, url, caPem, user: 'operator', credential: { token } }) as Kubeconfig;
}

/** The same kubeconfig with other fields of its cluster, or of its user instead of all that were there. */
export function altered(
  config: Kubeconfig,
  { cluster = {}, user }: { readonly cluster?: Readonly<Record<string, unknown>>; readonly user?: object },
): Kubeconfig {
  return {
    ...config,
    clusters: config.clusters.map((each) => ({ ...each, cluster: { ...each.cluster, ...cluster } })),
    users: config.users.map((each) => ({ ...each, user: { ...(user ?? each.user) } })),
  };
}

/** A Secret of the operator's namespace that holds a kubeconfig. */
export function kubeconfigSecret(name: string, config: Kubeconfig, key = 'kubeconfig'): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'clustertunnel-system' },
    stringData: { [key]: JSON.stringify(config) },
  };
}
