import type { KubeObject } from '../kube/objects.ts';

/** On a tunnel, "true": its deletion does not wait for a remote cluster. */
export const ABANDON_REMOTE_ANNOTATION = 'clustertunnel.io/abandon-remote';

/** On a tunnel's Secret of keys: the key whose token no agent was given yet. */
export const UNPLACED_KEY_ANNOTATION = 'clustertunnel.io/unplaced-key';

/** On an agent's pods: the uid of the ServiceAccount that their tokens are of. */
export const SERVICE_ACCOUNT_ANNOTATION = 'clustertunnel.io/service-account-uid';

/** Keeps a ClusterTunnel until what it made is gone. */
export const FINALIZER = 'clustertunnel.io/finalizer';

/** On every object that belongs to a tunnel: its name. */
export const TUNNEL_LABEL = 'clustertunnel.io/tunnel';

export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'clustertunnel';

/** The shipped ClusterRole that agents are bound to. */
export const AGENT_CLUSTER_ROLE = 'clustertunnel-agent';

/** Where the operator publishes what `clustertunnel manifest` needs. */
export const GATEWAY_CONFIG_MAP = 'clustertunnel-gateway';

/** The Lease that controllers compete for. */
export const LEADER_LEASE = 'clustertunnel-controller';

/** The shipped Role that lets the operator work in an agent's namespace. */
export const AGENT_NAMESPACE_ROLE = 'clustertunnel-agent-manager';

/** Deployment, ServiceAccount, Secret and ClusterRoleBinding of a tunnel's agent. */
export function agentName(tunnel: string): string {
  return `clustertunnel-agent-${tunnel}`;
}

/** The Secret in the operator's namespace that keeps the hashes of a tunnel's tokens. */
export function keysName(tunnel: string): string {
  return `clustertunnel-keys-${tunnel}`;
}

/** URL of a tunnel at the gateway: the `server` of a kubeconfig. */
export function endpointOf(externalUrl: string, tunnel: string): string {
  return `${externalUrl.replace(/\/+$/, '')}/clusters/${tunnel}`;
}

/** Labels of everything made for a tunnel. */
export function labelsOf(tunnel: string): Record<string, string> {
  return {
    ...selectorOf(tunnel),
    'app.kubernetes.io/component': 'agent',
    [MANAGED_BY_LABEL]: MANAGED_BY,
    [TUNNEL_LABEL]: tunnel,
  };
}

/** Of an object's labels those that labelsOf sets. */
export function ourLabels(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  const ours = Object.keys(labelsOf(''));
  return Object.fromEntries(Object.entries(labels).filter(([name]) => ours.includes(name)));
}

/** Whose object it is, by its labels. */
export function ownerOf({ metadata: { labels = {} } }: Pick<KubeObject, 'metadata'>) {
  return { tunnel: labels[TUNNEL_LABEL], managedBy: labels[MANAGED_BY_LABEL] };
}

/** The part of the labels that a Deployment selects its pods by: it can never change. */
export function selectorOf(tunnel: string): Record<string, string> {
  return { 'app.kubernetes.io/name': 'clustertunnel-agent', 'app.kubernetes.io/instance': tunnel };
}
