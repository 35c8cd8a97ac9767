import { writeFileSync } from 'node:fs';
import type { KeyPair } from './certificates.ts';

export interface KubeconfigInput {
  readonly cluster: string;
  readonly url: string;
  readonly caPem: string;
  readonly user: string;
  readonly credential: KeyPair | { readonly token: string };
}

/** Writes a kubeconfig with everything inline, readable by its owner only. JSON is YAML. */
export function writeKubeconfig(path: string, input: KubeconfigInput): void {
  writeFileSync(path, `${JSON.stringify(kubeconfig(input), undefined, 2)}\n`, { mode: 0o600 });
}

export function kubeconfig({ cluster, url, caPem, user, credential }: KubeconfigInput): object {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const secret =
    'token' in credential
      ? { token: credential.token }
      : {
          'client-certificate-data': base64(credential.certificatePem),
          'client-key-data': base64(credential.keyPem),
        };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': cluster,
    clusters: [{ name: cluster, cluster: { server: url, 'certificate-authority-data': base64(caPem) } }],
    users: [{ name: user, user: secret }],
    contexts: [{ name: cluster, context: { cluster, user } }],
  };
}
