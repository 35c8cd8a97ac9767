import type { ClusterTunnel } from '../../crds/types.ts';
import type { Logger } from '../../process/log.ts';
import { type KubeClient, PatchType } from '../kube/client.ts';
import { isForbidden, isNotFound } from '../kube/errors.ts';
import { type ObjectAddress, RESOURCES, type Resource } from '../kube/objects.ts';
import { agentName, FINALIZER, keysName } from './names.ts';

export interface FinalizeDeps {
  readonly client: KubeClient;
  readonly log: Logger;
  /** The operator's namespace. */
  readonly namespace: string;
  readonly defaultAgentNamespace: string;
}

/** The tunnel with our finalizer, added before anything is made that would be left behind without it. */
export async function withFinalizer(
  client: KubeClient,
  tunnel: ClusterTunnel,
  signal: AbortSignal,
): Promise<ClusterTunnel> {
  const { finalizers = [] } = tunnel.metadata;
  if (finalizers.includes(FINALIZER)) return tunnel;
  return patchFinalizers(client, tunnel, [...finalizers, FINALIZER], signal);
}

/**
 * Removes what the tunnel made, then its finalizer. The key goes first: from then on no agent can log in.
 * The namespace stays: it may hold what is not ours.
 */
export async function finalize(deps: FinalizeDeps, tunnel: ClusterTunnel, signal: AbortSignal): Promise<void> {
  const { client, log } = deps;
  const { name, finalizers = [] } = tunnel.metadata;
  if (!finalizers.includes(FINALIZER)) return;
  for (const [resource, address] of belongings(deps, tunnel)) await remove(deps, resource, address, signal);
  try {
    await patchFinalizers(
      client,
      tunnel,
      finalizers.filter((each) => each !== FINALIZER),
      signal,
    );
    log.info('tunnel removed', { tunnel: name });
  } catch (error) {
    // Our cache lags behind: it is gone already.
    if (!isNotFound(error)) throw error;
  }
}

function belongings(deps: FinalizeDeps, tunnel: ClusterTunnel): [Resource, ObjectAddress][] {
  const { name: tunnelName } = tunnel.metadata;
  const namespace = tunnel.spec?.agent?.namespace ?? deps.defaultAgentNamespace;
  const name = agentName(tunnelName);
  const keys: [Resource, ObjectAddress] = [RESOURCES.secret, { namespace: deps.namespace, name: keysName(tunnelName) }];
  if (tunnel.spec?.agent?.placement === 'Manual') return [keys];
  return [
    keys,
    [RESOURCES.deployment, { namespace, name }],
    [RESOURCES.secret, { namespace, name }],
    [RESOURCES.serviceAccount, { namespace, name }],
    [RESOURCES.clusterRoleBinding, { name }],
  ];
}

async function remove(deps: FinalizeDeps, resource: Resource, address: ObjectAddress, signal: AbortSignal) {
  const { client, log, namespace } = deps;
  try {
    await client.delete(resource, address, signal);
  } catch (error) {
    // In an agent's namespace where we never had rights nothing of ours can be, and the tunnel must not stay for ever.
    const isAgents = address.namespace !== undefined && address.namespace !== namespace;
    if (!isForbidden(error) || !isAgents) throw error;
    log.warn('object not removed', { kind: resource.kind, ...address, error });
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
