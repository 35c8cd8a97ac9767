import { OBJECT_MANAGER } from '../../kube/apply.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type KubeObject, type ObjectAddress, RESOURCES, type Resource } from '../../kube/objects.ts';
import { AGENT_CLUSTER_ROLE, agentName, MANAGED_BY, MANAGED_BY_LABEL, TUNNEL_LABEL } from '../names.ts';

/** One object of a tunnel's agent. */
export interface Belonging {
  readonly resource: Resource;
  readonly address: ObjectAddress & { readonly name: string };
}

/** What stands beside the API server for one tunnel, in the order in which it is removed. The namespace stays: it may hold what is not ours. */
export function belongingsOf(tunnel: string, namespace: string): Belonging[] {
  const name = agentName(tunnel);
  return [
    { resource: RESOURCES.deployment, address: { namespace, name } },
    { resource: RESOURCES.secret, address: { namespace, name } },
    { resource: RESOURCES.serviceAccount, address: { namespace, name } },
    { resource: RESOURCES.clusterRoleBinding, address: { name } },
  ];
}

/** "Deployment clustertunnel-agent/clustertunnel-agent-prod". */
export function describeBelonging({ resource, address: { namespace, name } }: Belonging): string {
  return `${resource.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** The commands that remove them by hand. */
export function removalCommands(tunnel: string, namespace: string): string {
  const name = agentName(tunnel);
  return `kubectl -n ${namespace} delete deployment,secret,serviceaccount ${name}; kubectl delete clusterrolebinding ${name}`;
}

/**
 * Removes the agents' ClusterRole from a remote cluster when no agent there is bound to it any more and nobody else has a
 * hand in it: what an administrator applied stays.
 */
export async function removeUnusedRole(client: KubeClient, signal: AbortSignal): Promise<void> {
  const labelSelector = `${TUNNEL_LABEL},${MANAGED_BY_LABEL}=${MANAGED_BY}`;
  const { items } = await client.list<KubeObject>(
    RESOURCES.clusterRoleBinding,
    {},
    { labelSelector, limit: 1 },
    signal,
  );
  if (items.length > 0) return;
  const role = await client.find<ManagedObject>(RESOURCES.clusterRole, { name: AGENT_CLUSTER_ROLE }, signal);
  if (role !== undefined && isOursAlone(role)) {
    await client.delete(RESOURCES.clusterRole, { name: AGENT_CLUSTER_ROLE }, signal);
  }
}

interface ManagedObject {
  readonly metadata: { readonly managedFields?: readonly { readonly manager?: string }[] };
}

function isOursAlone({ metadata: { managedFields = [] } }: ManagedObject): boolean {
  return managedFields.length > 0 && managedFields.every(({ manager }) => manager === OBJECT_MANAGER);
}
