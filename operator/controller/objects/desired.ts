import type { Spec } from '../../../crds/types.ts';
import type { KubeObject } from '../../kube/objects.ts';
import {
  agentClusterRole,
  agentClusterRoleBinding,
  agentNamespace,
  agentSecret,
  agentServiceAccount,
  ownClusterRole,
} from './access.ts';
import { agentDeployment } from './deployment.ts';

/** How agents reach the gateway, and what they run. */
export interface GatewayFacts {
  readonly url: string;
  /** PEM of the CA that signs the gateway's certificate. */
  readonly caPem: string;
  readonly agentImage: string;
}

export interface DesiredInput {
  readonly tunnel: string;
  readonly spec: Spec;
  readonly gateway: GatewayFacts;
  readonly token: string;
}

/** Everything that should exist beside the API server, in the order in which it is applied. */
export function desired({ tunnel, spec, gateway, token }: DesiredInput): KubeObject[] {
  const place = { tunnel, namespace: spec.agent.namespace };
  return [
    agentNamespace(place.namespace),
    agentServiceAccount(place),
    agentClusterRoleBinding(place),
    agentSecret(place, token, gateway.caPem),
    agentDeployment({ tunnel, spec, gatewayUrl: gateway.url, image: gateway.agentImage }),
  ];
}

/** The same for a cluster where nobody has installed our ClusterRole. */
export function manifest(input: DesiredInput): KubeObject[] {
  const { tunnel, spec } = input;
  const { impersonate } = spec.access;
  const isUsual = Object.values(impersonate).every((names) => names.length === 0);
  // The operator may hand out one role (docs/decisions/0003); who applies a manifest may make any.
  if (isUsual || spec.agent.placement !== 'Manual') return ranked([agentClusterRole(), ...desired(input)]);
  const role = ownClusterRole(tunnel, impersonate);
  const binding = agentClusterRoleBinding({ tunnel, namespace: spec.agent.namespace }, role.metadata.name);
  const objects = desired(input).map((object) => (object.kind === binding.kind ? binding : object));
  return ranked([role, ...objects]);
}

function ranked(objects: KubeObject[]): KubeObject[] {
  return objects.sort((a, b) => rank(a) - rank(b));
}

/** The namespace comes first: what lives in it needs it. */
function rank({ kind }: KubeObject): number {
  return kind === 'Namespace' ? 0 : 1;
}
