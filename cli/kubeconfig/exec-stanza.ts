import { delimiter } from 'node:path';
import type { HubConfig } from '../cluster.ts';
import { serviceAccountName } from '../credential/service-account.ts';
import type { Fields } from './document.ts';

const INSTALL_HINT = `clustertunnel is not on your PATH: the kubeconfig of a tunnel asks it for the credential of the hub.
Install it, or make the kubeconfig again without --exec.`;

/**
 * The exec plugin of a tunnel's user: this program, which hands on what the hub's kubeconfig has or gets. Nothing secret is in it.
 * @throws CommandError for a service account that is none
 * Source: client.authentication.k8s.io/v1.
 */
export function execStanza(
  { context, paths }: Pick<HubConfig, 'context' | 'paths'>,
  account: string | undefined,
): Fields {
  if (account !== undefined) serviceAccountName(account);
  const args = [
    'credential',
    ...(context === undefined ? [] : ['--context', context]),
    ...(account === undefined ? [] : ['--service-account', account]),
  ];
  // Wherever kubectl is told to find the tunnel: the hub is found where it was.
  const env = paths.length === 0 ? [] : [{ name: 'KUBECONFIG', value: paths.join(delimiter) }];
  return {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'clustertunnel',
    args,
    env,
    installHint: INSTALL_HINT,
    // The hub's own plugin may ask its user.
    interactiveMode: 'IfAvailable',
    provideClusterInfo: false,
  };
}
