import { type KubeClient, PatchType } from './client.ts';
import { type KubeObject, RESOURCES, resourceOf } from './objects.ts';

/** Who owns which fields, as `kubectl get --show-managed-fields` tells. */
export const OBJECT_MANAGER = 'clustertunnel-controller';
export const STATUS_MANAGER = 'clustertunnel-status';

/**
 * Makes the object's fields what we say, by server-side apply; fields that we do not mention stay as they are.
 * Resolves to the object as it stands now.
 */
export function applyObject<T extends KubeObject>(
  client: Pick<KubeClient, 'patch'>,
  object: T,
  signal: AbortSignal,
): Promise<T> {
  const { name, namespace } = object.metadata;
  return client.patch<T>(resourceOf(object), { name, namespace }, patchOf(object, OBJECT_MANAGER), signal);
}

/**
 * The ClusterTunnel that a status was decided for. With its resourceVersion the write fails when our view was old:
 * otherwise a date or an Event could be written twice.
 */
export interface StatusTarget {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
}

/** Makes our part of a ClusterTunnel's status exactly `status`: what we no longer say goes. */
export async function applyStatus(
  client: Pick<KubeClient, 'patch'>,
  { name, uid, resourceVersion }: StatusTarget,
  status: object,
  signal: AbortSignal,
): Promise<void> {
  const { apiVersion, kind } = RESOURCES.clusterTunnel;
  const body = { apiVersion, kind, metadata: { name, uid, resourceVersion }, status };
  await client.patch(RESOURCES.clusterTunnel, { name, subresource: 'status' }, patchOf(body, STATUS_MANAGER), signal);
}

function patchOf(body: unknown, fieldManager: string) {
  return { type: PatchType.apply, body, query: { fieldManager, force: true } };
}
