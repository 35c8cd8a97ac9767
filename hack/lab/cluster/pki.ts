import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Authority, type KeyPair, newSigningKey } from './certificates.ts';

/** Files of a control plane's certificates, and those that stay in memory. */
export interface Pki {
  readonly folder: string;
  readonly caPath: string;
  readonly caPem: string;
  /** system:masters, for the lab's own user. */
  readonly admin: KeyPair;
  /** system:node:<name>, for the node. */
  readonly node: KeyPair;
  /** What the node's kubelet server shows. */
  readonly kubelet: KeyPair;
  readonly controllerManager: KeyPair;
  readonly scheduler: KeyPair;
  /** Of a real node. */
  readonly kubeProxy: KeyPair;
}

/** The name by which a kubelet knows the API server. */
export const KUBELET_CLIENT = 'kube-apiserver-kubelet-client';

export interface PkiNames {
  readonly nodeName: string;
  /** The first address of the service range: the `kubernetes` Service. */
  readonly serviceIP: string;
  /** Where the API server and the node's kubelet listen. */
  readonly apiHost: string;
  readonly nodeHost: string;
}

/** Makes every key of one cluster. The front-proxy CA differs from the clients' CA, as the API server demands. */
export async function createPki(folder: string, { nodeName, serviceIP, apiHost, nodeHost }: PkiNames): Promise<Pki> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 });
  const writePair = (name: string, pair: KeyPair): void => {
    write(`${name}.crt`, pair.certificatePem);
    write(`${name}.key`, pair.keyPem);
  };
  const [ca, frontProxy, etcd, serviceAccount] = await Promise.all([
    Authority.create('clustertunnel-lab-ca'),
    Authority.create('clustertunnel-lab-front-proxy-ca'),
    Authority.create('clustertunnel-lab-etcd-ca'),
    newSigningKey(),
  ]);
  write('ca.crt', ca.certificatePem);
  write('front-proxy-ca.crt', frontProxy.certificatePem);
  write('etcd-ca.crt', etcd.certificatePem);
  write('service-account.key', serviceAccount.keyPem);
  write('service-account.pub', serviceAccount.publicPem);
  const loopback = { dns: ['localhost'], ip: ['127.0.0.1'] };
  const kubernetes = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  writePair('etcd', await etcd.server('etcd', loopback));
  writePair('etcd-client', await etcd.client({ commonName: 'kube-apiserver' }));
  writePair('front-proxy', await frontProxy.client({ commonName: 'front-proxy-client' }));
  writePair('kubelet-client', await ca.client({ commonName: KUBELET_CLIENT }));
  writePair(
    'apiserver',
    await ca.server('kube-apiserver', {
      dns: ['localhost', ...kubernetes],
      ip: [...new Set([apiHost, '127.0.0.1', serviceIP])],
    }),
  );
  const control = await ca.server('control-plane', loopback);
  writePair('control-plane', control);
  return {
    folder,
    caPath: join(folder, 'ca.crt'),
    caPem: ca.certificatePem,
    admin: await ca.client({ commonName: 'lab', organization: 'system:masters' }),
    node: await ca.client({ commonName: `system:node:${nodeName}`, organization: 'system:nodes' }),
    kubelet: await ca.server(nodeName, { dns: ['localhost'], ip: [nodeHost] }),
    controllerManager: await ca.client({ commonName: 'system:kube-controller-manager' }),
    scheduler: await ca.client({ commonName: 'system:kube-scheduler' }),
    kubeProxy: await ca.client({ commonName: 'system:kube-proxy' }),
  };
}
