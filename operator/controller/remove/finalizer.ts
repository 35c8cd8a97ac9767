import type { ClusterTunnel } from '../../../crds/types.ts';
import { type KubeClient, PatchType } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { RESOURCES } from '../../kube/objects.ts';
import { FINALIZER } from '../names.ts';

/** Whether our finalizer keeps the tunnel. */
export function hasFinalizer({ metadata: { finalizers = [] } }: ClusterTunnel): boolean {
  return finalizers.includes(FINALIZER);
}

/** The tunnel with our finalizer, added before anything is made that would be left behind without it. */
export async function withFinalizer(
  client: KubeClient,
  tunnel: ClusterTunnel,
  signal: AbortSignal,
): Promise<ClusterTunnel> {
  if (hasFinalizer(tunnel)) return tunnel;
  return patchFinalizers(client, tunnel, [...(tunnel.metadata.finalizers ?? []), FINALIZER], signal);
}

/** Lets the tunnel go. */
export async function removeFinalizer(client: KubeClient, tunnel: ClusterTunnel, signal: AbortSignal): Promise<void> {
  const others = (tunnel.metadata.finalizers ?? []).filter((each) => each !== FINALIZER);
  try {
    await patchFinalizers(client, tunnel, others, signal);
  } catch (error) {
    // Our cache lags behind: it is gone already.
    if (!isNotFound(error)) throw error;
  }
}

async function patchFinalizers(
  client: KubeClient,
  { metadata: { name, resourceVersion } }: ClusterTunnel,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<ClusterTunnel> {
  // A merge patch replaces the whole list: with the resourceVersion it fails when somebody else changed the list.
  const body = { metadata: { resourceVersion, finalizers } };
  return client.patch<ClusterTunnel>(RESOURCES.clusterTunnel, { name }, { type: PatchType.merge, body }, signal);
}
