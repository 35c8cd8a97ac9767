import { isDeepStrictEqual } from 'node:util';
import { applyObject } from '../../kube/apply.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError } from '../../kube/errors.ts';
import { type KubeObject, RESOURCES, resourceOf } from '../../kube/objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, ownerOf, TUNNEL_LABEL } from '../names.ts';

type Applier = Pick<KubeClient, 'patch' | 'find' | 'delete'>;

/**
 * Applies the object; one of ours that stands in its place with a field that no update can change is made anew.
 * @throws what applyObject throws; where somebody else's object stands in the place the message has the remedy.
 */
export async function applyAnew(client: Applier, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
  try {
    return await applyObject(client, object, signal);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 422) throw error;
    const { name, namespace } = object.metadata;
    const standing = await client.find<KubeObject>(resourceOf(object), { name, namespace }, signal);
    if (standing === undefined || !differsForGood(standing, object)) throw error;
    if (!isDeepStrictEqual(ownerOf(standing), ownerOf(object))) throw inTheWay(error, object);
    await client.delete(resourceOf(object), { name, namespace }, signal, standing.metadata);
    return applyObject(client, object, signal);
  }
}

/** Kinds with fields that are given once, when the object is made. */
interface Fixed extends KubeObject {
  readonly roleRef?: object;
  readonly type?: string;
  readonly immutable?: boolean;
  readonly spec?: { readonly selector?: object };
}

/** Whether no update can make the one object the other. */
export function differsForGood(standing: Fixed, wanted: Fixed): boolean {
  switch (wanted.kind) {
    case RESOURCES.clusterRoleBinding.kind:
      return !isDeepStrictEqual(standing.roleRef, wanted.roleRef);
    case RESOURCES.secret.kind:
      return (standing.type ?? wanted.type) !== wanted.type || standing.immutable === true;
    case RESOURCES.deployment.kind:
      return !isDeepStrictEqual(standing.spec?.selector, wanted.spec?.selector);
    default:
      return false;
  }
}

function inTheWay({ status, reason, message }: ApiError, { metadata: { labels = {} } }: KubeObject): ApiError {
  const ours = `${TUNNEL_LABEL}=${labels[TUNNEL_LABEL]},${MANAGED_BY_LABEL}=${MANAGED_BY}`;
  const remedy = `what stands there is not labelled ${ours}: if nobody needs it, delete it, and it is made anew`;
  return new ApiError({ status, reason, message: `${message}; ${remedy}` });
}
