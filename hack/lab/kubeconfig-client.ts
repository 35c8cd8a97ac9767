import { readFileSync } from 'node:fs';
import { ApiClient } from './api/client.ts';

interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}

/** A client from one of the lab's own kubeconfigs: one cluster, one user, everything inline. */
export function clientOf(path: string): ApiClient {
  const { clusters, users } = JSON.parse(readFileSync(path, 'utf8')) as Kubeconfig;
  const { cluster } = clusters[0];
  const { user } = users[0];
  const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
  return new ApiClient({
    url: cluster.server,
    caPem: decode(cluster['certificate-authority-data']),
    certificatePem: decode(user['client-certificate-data']),
    keyPem: decode(user['client-key-data']),
  });
}
