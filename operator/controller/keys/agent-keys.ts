import { isDeepStrictEqual } from 'node:util';
import { type AgentKey, decodeAgentKeys, encodeAgentKeys } from '../../../crds/agent-token.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type DataObject, RESOURCES } from '../../kube/objects.ts';
import { keysName, MANAGED_BY, MANAGED_BY_LABEL, ownerOf, TUNNEL_LABEL, UNPLACED_KEY_ANNOTATION } from '../names.ts';
import { differsForGood } from '../objects/apply-anew.ts';

/** Whose keys, and where they are kept. */
export interface KeyOwner {
  readonly tunnel: string;
  readonly tunnelUid: string;
  /** The operator's namespace. */
  readonly namespace: string;
}

/** The keys of a tunnel, with what is needed to write them back. */
export interface AgentKeys {
  /** Oldest first; keys of a deleted namesake are left out. */
  readonly keys: readonly AgentKey[];
  readonly secret: DataObject | undefined;
  /** The key whose token no agent was given yet, as far as we know: it may go before any other. */
  readonly unplacedKeyId: string | undefined;
}

/** Reads the keys from the API server, not from a cache: what we decide on must include our own last write. */
export async function readAgentKeys(client: KubeClient, owner: KeyOwner, signal: AbortSignal): Promise<AgentKeys> {
  const address = { namespace: owner.namespace, name: keysName(owner.tunnel) };
  const secret = await client.find<DataObject>(RESOURCES.secret, address, signal);
  return keysIn(secret, owner);
}

/**
 * Makes exactly `keys` valid, and resolves to what stands there now.
 * @throws ApiError Conflict when somebody changed them since `seen` was read.
 */
export async function writeAgentKeys(
  client: KubeClient,
  owner: KeyOwner,
  seen: AgentKeys,
  keys: readonly AgentKey[],
  signal: AbortSignal,
  unplacedKeyId?: string,
): Promise<AgentKeys> {
  const { namespace } = owner;
  const name = keysName(owner.tunnel);
  const resourceVersion = seen.secret?.metadata.resourceVersion;
  const secret = {
    apiVersion: RESOURCES.secret.apiVersion,
    kind: RESOURCES.secret.kind,
    metadata: {
      name,
      namespace,
      labels: { [TUNNEL_LABEL]: owner.tunnel, [MANAGED_BY_LABEL]: MANAGED_BY },
      ...(unplacedKeyId === undefined ? {} : { annotations: { [UNPLACED_KEY_ANNOTATION]: unplacedKeyId } }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type: 'Opaque',
    data: encodeAgentKeys(keys),
  };
  if (seen.secret !== undefined && differsForGood(seen.secret, secret)) {
    await client.delete(RESOURCES.secret, { namespace, name }, signal, seen.secret.metadata);
    return writeAgentKeys(client, owner, { ...seen, secret: undefined }, keys, signal, unplacedKeyId);
  }
  const written = await (seen.secret === undefined
    ? client.create<DataObject>(RESOURCES.secret, { namespace }, secret, signal)
    : client.replace<DataObject>(RESOURCES.secret, { namespace, name }, secret, signal));
  return keysIn(written, owner);
}

/** Whether the Secret carries the labels by which it is watched: without them nobody knows its keys. */
export function areWatched({ secret }: AgentKeys, { tunnel }: KeyOwner): boolean {
  return secret !== undefined && isDeepStrictEqual(ownerOf(secret), { tunnel, managedBy: MANAGED_BY });
}

function keysIn(secret: DataObject | undefined, { tunnelUid }: KeyOwner): AgentKeys {
  return {
    secret,
    keys: decodeAgentKeys(secret?.data).filter((key) => key.tunnelUid === tunnelUid),
    unplacedKeyId: secret?.metadata.annotations?.[UNPLACED_KEY_ANNOTATION],
  };
}
