import { decodeAgentKeys, MAX_KEYS_PER_TUNNEL } from '../../../crds/agent-token.ts';
import type { ClusterTunnel } from '../../../crds/types.ts';
import { AGENT_CLUSTER_ROLE, MANAGED_BY, ownerOf } from '../../../operator/controller/names.ts';
import type { DataObject, KubeObject } from '../../../operator/kube/objects.ts';
import { TUNNEL } from './made.ts';

/** @throws Error when there are other keys than a few of this very tunnel. */
export function checkKeys({ metadata: { uid } }: ClusterTunnel, secret: DataObject | undefined): void {
  const keys = decodeAgentKeys(secret?.data);
  const count = Object.keys(secret?.data ?? {}).length;
  if (count !== keys.length) throw new Error('a key is damaged');
  if (count > MAX_KEYS_PER_TUNNEL) throw new Error(`${count} keys are valid`);
  if (keys.some(({ tunnel, tunnelUid }) => tunnelUid !== uid || tunnel !== TUNNEL)) {
    throw new Error('a key is of another tunnel');
  }
}

interface Fixed extends KubeObject {
  readonly immutable?: boolean;
  readonly type?: string;
  readonly roleRef?: { readonly name: string };
  readonly spec?: { readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> } };
}

/** One of the impostors of steps.ts, without the labels that would let operators remove it. */
export function isStranger(object: KubeObject): boolean {
  const { tunnel, managedBy } = ownerOf(object);
  if (tunnel === TUNNEL && managedBy === MANAGED_BY) return false;
  const { immutable, type = 'Opaque', roleRef, spec } = object as Fixed;
  const isOther = roleRef !== undefined && roleRef.name !== AGENT_CLUSTER_ROLE;
  return immutable === true || type !== 'Opaque' || isOther || spec?.selector?.matchLabels['app'] !== undefined;
}
