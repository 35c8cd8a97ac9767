import { isDeepStrictEqual } from 'node:util';
import { type KubeObject, RESOURCES } from '../../kube/objects.ts';
import type { Change } from '../../kube/store.ts';
import { ourLabels, TUNNEL_LABEL } from '../names.ts';

/**
 * Whether somebody may have changed what we made. Only of Deployments it can be told that nothing but the status changed:
 * for every other kind each change counts, and applying again what is still so changes nothing.
 */
export function mayBeDrift({ object, previous, isGone }: Change<KubeObject>): boolean {
  if (isGone || previous === undefined || object.kind !== RESOURCES.deployment.kind) return true;
  return !isDeepStrictEqual(madeByUs(previous), madeByUs(object));
}

/** Whether nothing that we decide from changed of a tunnel, such as when its status was written. */
export function isOnlyStatus({ object, previous, isGone }: Change<KubeObject>): boolean {
  return !isGone && previous !== undefined && isDeepStrictEqual(givenByUsers(previous), givenByUsers(object));
}

function givenByUsers({ metadata: { uid, generation, deletionTimestamp, finalizers, annotations } }: KubeObject) {
  return { uid, generation, deletionTimestamp, finalizers, annotations };
}

/** The tunnels that an object belongs, or belonged, to: a label can be edited too. */
export function tunnelsOf({ object, previous }: Change<KubeObject>): string[] {
  const labels = [object, previous].map((each) => each?.metadata.labels?.[TUNNEL_LABEL]);
  return [...new Set(labels.filter((label) => label !== undefined))];
}

/** What of a Deployment is ours to say: the generation stands for the spec. */
function madeByUs({ metadata: { uid, generation, labels, deletionTimestamp } }: KubeObject) {
  return { uid, generation, deletionTimestamp, labels: ourLabels(labels) };
}
