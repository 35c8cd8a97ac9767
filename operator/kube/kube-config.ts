import { KubeConfig } from '@kubernetes/client-node';
import { mounted } from '../../process/mounts.ts';
import type { InlineKubeconfig } from './inline-kubeconfig.ts';

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface KubeConfigChoice {
  /** A kubeconfig itself, with absolute paths in it. */
  readonly text?: string | undefined;
  /** Path of a kubeconfig; without it $KUBECONFIG, ~/.kube/config, then the pod's ServiceAccount. */
  readonly kubeconfig?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** The KubeConfig of one cluster. One instance per cluster: client-node caches credentials by user name. */
export function loadKubeConfig({ text, kubeconfig, env }: KubeConfigChoice): KubeConfig {
  const config = new KubeConfig();
  if (text !== undefined) config.loadFromString(text);
  else if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
  else if (env['KUBERNETES_SERVICE_HOST'] !== undefined && env['KUBECONFIG'] === undefined) loadInCluster(config, env);
  else config.loadFromDefault();
  if (config.getCurrentCluster() === null) throw new Error('the kubeconfig has no current context');
  return config;
}

/** A KubeConfig of its own that says what the inline one says, and nothing else. */
export function kubeConfigOf(kubeconfig: InlineKubeconfig): KubeConfig {
  const { server, caPem, tlsServerName, token, certificatePem, keyPem } = kubeconfig;
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: 'remote',
      server,
      skipTLSVerify: false,
      ...(caPem === undefined ? {} : { caData: base64(caPem) }),
      ...(tlsServerName === undefined ? {} : { tlsServerName }),
    },
    {
      name: 'remote',
      ...(token === undefined ? {} : { token }),
      ...(certificatePem === undefined || keyPem === undefined
        ? {}
        : { certData: base64(certificatePem), keyData: base64(keyPem) }),
    },
  );
  return config;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function loadInCluster(config: KubeConfig, env: NodeJS.ProcessEnv): void {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  config.loadFromClusterAndUser(
    {
      name: 'in-cluster',
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      caFile: mounted(`${SERVICE_ACCOUNT_DIRECTORY}/ca.crt`, env),
      skipTLSVerify: false,
    },
    {
      name: 'in-cluster',
      authProvider: {
        name: 'tokenFile',
        config: { tokenFile: mounted(`${SERVICE_ACCOUNT_DIRECTORY}/token`, env) },
      },
    },
  );
}
