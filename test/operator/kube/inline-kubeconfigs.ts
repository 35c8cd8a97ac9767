import { generateKeyPairSync } from 'node:crypto';
import { Authority, type KeyPair } from '../../../hack/lab/cluster/certificates.ts';

/** Any kubeconfig, as the object that its YAML is read to. */
export interface Written {
  'current-context'?: unknown;
  clusters?: unknown;
  users?: unknown;
  contexts?: unknown;
  [other: string]: unknown;
}

/** Certificates to write kubeconfigs with. */
export interface Material {
  readonly caData: string;
  readonly pair: { readonly certData: string; readonly keyData: string };
  readonly otherPair: { readonly certData: string; readonly keyData: string };
  readonly encryptedKeyData: string;
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64');

const dataOf = ({ certificatePem, keyPem }: KeyPair) => ({
  certData: base64(certificatePem),
  keyData: base64(keyPem),
});

export async function createMaterial(): Promise<Material> {
  const authority = await Authority.create('test');
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
  });
  return {
    caData: base64(authority.certificatePem),
    pair: dataOf(await authority.client({ commonName: 'one' })),
    otherPair: dataOf(await authority.client({ commonName: 'two' })),
    encryptedKeyData: base64(privateKey),
  };
}

/** One context with this cluster and this user. */
export function written(cluster: object, user: object): Written {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'prod',
    clusters: [{ name: 'prod', cluster }],
    users: [{ name: 'admin', user }],
    contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'admin', namespace: 'default' } }],
  };
}
