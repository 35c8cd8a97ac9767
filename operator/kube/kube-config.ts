import { KubeConfig } from '@kubernetes/client-node';
import { mounted } from '../../process/mounts.ts';

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface KubeConfigChoice {
  /** Path of a kubeconfig; without it $KUBECONFIG, ~/.kube/config, then the pod's ServiceAccount. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** The KubeConfig of one cluster. One instance per cluster: client-node caches credentials by user name. */
export function loadKubeConfig({ kubeconfig, context, env }: KubeConfigChoice): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
  else if (env['KUBERNETES_SERVICE_HOST'] !== undefined && env['KUBECONFIG'] === undefined) loadInCluster(config, env);
  else config.loadFromDefault();
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      const known = config.getContexts().map(({ name }) => name);
      throw new Error(`the kubeconfig has no context "${context}": it has ${known.join(', ') || 'none'}`);
    }
    config.setCurrentContext(context);
  }
  if (config.getCurrentCluster() === null)
    throw new Error('the kubeconfig has no current context: name one with --context');
  return config;
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
