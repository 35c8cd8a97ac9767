import { PROBE_USER } from '../../../crds/access-settings.ts';
import { canPassAsExtra } from '../../../crds/extra-keys.ts';
import type { DataObject, KubeObject } from '../../kube/objects.ts';
import { RESOURCES } from '../../kube/objects.ts';
import { AGENT_CLUSTER_ROLE, agentName, labelsOf, MANAGED_BY, MANAGED_BY_LABEL } from '../names.ts';

/** Where an agent stands. */
export interface AgentPlace {
  readonly tunnel: string;
  readonly namespace: string;
}

/** Key names in the agent's Secret, and file names in its volume. */
export const TOKEN_KEY = 'token';
const CA_KEY = 'ca.crt';

/** The agent's namespace, for when it does not exist. */
export function agentNamespace(namespace: string): KubeObject {
  const level = 'restricted';
  return {
    apiVersion: RESOURCES.namespace.apiVersion,
    kind: RESOURCES.namespace.kind,
    metadata: {
      name: namespace,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY, 'pod-security.kubernetes.io/enforce': level },
    },
  };
}

/** Who the agent is at its API server. The pod asks for its token itself; nothing else gets one by accident. */
export function agentServiceAccount({ tunnel, namespace }: AgentPlace): KubeObject {
  return {
    apiVersion: RESOURCES.serviceAccount.apiVersion,
    kind: RESOURCES.serviceAccount.kind,
    metadata: { name: agentName(tunnel), namespace, labels: labelsOf(tunnel) },
    automountServiceAccountToken: false,
  } as KubeObject;
}

/** Whom an agent may act as; no users, no groups: anybody; no extras: none. */
export interface Impersonated {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly extras: readonly string[];
}

/** The role of one agent that may act as these only. Nobody but an administrator can make it: docs/decisions/0003. */
export function ownClusterRole(tunnel: string, { users, groups, extras }: Impersonated): KubeObject {
  const only = (resource: string, names: readonly string[], own: string) => {
    const rule = { apiGroups: [''], resources: [resource], verbs: ['impersonate'] };
    return names.length === 0 ? rule : { ...rule, resourceNames: [...new Set([...names, own])] };
  };
  const { rules: [, ...others] = [], ...role } = agentClusterRole() as KubeObject & { rules?: object[] };
  const named = [only('users', users, PROBE_USER), only('groups', groups, 'system:authenticated')];
  const rules = [...named, ...extrasRules(extras), ...others];
  return { ...role, metadata: { ...role.metadata, name: agentName(tunnel) }, rules } as KubeObject;
}

/** A resource a key: RBAC has no wildcard for subresources. */
function extrasRules(keys: readonly string[]): object[] {
  const resources = [...new Set(keys.filter(canPassAsExtra))].map((key) => `userextras/${key}`);
  return resources.length === 0 ? [] : [{ apiGroups: ['authentication.k8s.io'], resources, verbs: ['impersonate'] }];
}

/** What every agent may do: act as the user whose request it carries, and see whether its API server is well. */
export function agentClusterRole(): KubeObject {
  return {
    apiVersion: RESOURCES.clusterRole.apiVersion,
    kind: RESOURCES.clusterRole.kind,
    metadata: { name: AGENT_CLUSTER_ROLE, labels: { 'app.kubernetes.io/name': 'clustertunnel-agent' } },
    rules: [
      { apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] },
      { apiGroups: ['authentication.k8s.io'], resources: ['uids'], verbs: ['impersonate'] },
      { nonResourceURLs: ['/version', '/livez', '/readyz'], verbs: ['get'] },
    ],
  } as KubeObject;
}

/** Binds the agent to its ClusterRole: the shipped one unless told. */
export function agentClusterRoleBinding({ tunnel, namespace }: AgentPlace, role = AGENT_CLUSTER_ROLE): KubeObject {
  return {
    apiVersion: RESOURCES.clusterRoleBinding.apiVersion,
    kind: RESOURCES.clusterRoleBinding.kind,
    metadata: { name: agentName(tunnel), labels: labelsOf(tunnel) },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: agentName(tunnel), namespace }],
  } as KubeObject;
}

/** The token that the agent shows, and the CA by which it knows the gateway. */
export function agentSecret({ tunnel, namespace }: AgentPlace, token: string, caPem: string): DataObject {
  return {
    apiVersion: RESOURCES.secret.apiVersion,
    kind: RESOURCES.secret.kind,
    metadata: { name: agentName(tunnel), namespace, labels: labelsOf(tunnel) },
    type: 'Opaque',
    data: { [TOKEN_KEY]: base64(token), [CA_KEY]: base64(caPem) },
  } as DataObject;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
