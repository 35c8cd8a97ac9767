import { type AgentKey, decodeAgentKeys, encodeAgentKeys } from '../../crds/agent-token.ts';
import type { KubeClient } from '../kube/client.ts';
import { type DataObject, RESOURCES } from '../kube/objects.ts';
import { keysName, MANAGED_BY, MANAGED_BY_LABEL, TUNNEL_LABEL } from './names.ts';

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
}

/** Reads the keys from the API server, not from a cache: what we decide on must include our own last write. */
export async function readAgentKeys(client: KubeClient, owner: KeyOwner, signal: AbortSignal): Promise<AgentKeys> {
  const address = { namespace: owner.namespace, name: keysName(owner.tunnel) };
  const secret = await client.find<DataObject>(RESOURCES.secret, address, signal);
  return { secret, keys: decodeAgentKeys(secret?.data).filter((key) => key.tunnelUid === owner.tunnelUid) };
}

/** Makes exactly `keys` valid. @throws ApiError Conflict when somebody changed them since `seen` was read. */
export async function writeAgentKeys(
  client: KubeClient,
  owner: KeyOwner,
  seen: AgentKeys,
  keys: readonly AgentKey[],
  signal: AbortSignal,
): Promise<void> {
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
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type: 'Opaque',
    data: encodeAgentKeys(keys),
  };
  if (seen.secret === undefined) await client.create(RESOURCES.secret, { namespace }, secret, signal);
  else await client.replace(RESOURCES.secret, { namespace, name }, secret, signal);
}
