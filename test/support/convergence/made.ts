import { AGENT_CLUSTER_ROLE, agentName, keysName } from '../../../operator/controller/names.ts';
import { type ObjectAddress, RESOURCES, type Resource } from '../../../operator/kube/objects.ts';
import type { ClusterName } from './chaos.ts';
import { AGENT_NAMESPACE, OPERATOR_NAMESPACE } from './operator-process.ts';

/** The one tunnel. */
export const TUNNEL = 't';

/** One object, and where it stands. */
export interface Made {
  readonly at: ClusterName;
  readonly resource: Resource;
  readonly address: ObjectAddress & { readonly name: string };
}

export const theTunnel: Made = { at: 'hub', resource: RESOURCES.clusterTunnel, address: { name: TUNNEL } };
export const theKeys: Made = {
  at: 'hub',
  resource: RESOURCES.secret,
  address: { namespace: OPERATOR_NAMESPACE, name: keysName(TUNNEL) },
};

/** The agent's Secret in its cluster. */
export function agentSecretAt(at: ClusterName): Made {
  return { at, resource: RESOURCES.secret, address: inAgentNamespace };
}

/** The agent's Deployment in its cluster. */
export function deploymentAt(at: ClusterName): Made {
  return { at, resource: RESOURCES.deployment, address: inAgentNamespace };
}

/** Everything that is made for a tunnel whose agent stands there; the role is made where nobody installs it. */
export function madeFor(at: ClusterName): readonly Made[] {
  const role: Made = { at, resource: RESOURCES.clusterRole, address: { name: AGENT_CLUSTER_ROLE } };
  return [
    { at, resource: RESOURCES.serviceAccount, address: inAgentNamespace },
    { at, resource: RESOURCES.clusterRoleBinding, address: { name: agentName(TUNNEL) } },
    agentSecretAt(at),
    deploymentAt(at),
    theKeys,
    ...(at === 'remote' ? [role] : []),
  ];
}

/** "hub Secret clustertunnel-agent/clustertunnel-agent-t". */
export function describeMade({ at, resource, address: { namespace = '', name } }: Made): string {
  return `${at} ${resource.kind} ${namespace}/${name}`;
}

const inAgentNamespace = { namespace: AGENT_NAMESPACE, name: agentName(TUNNEL) };
