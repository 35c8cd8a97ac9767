import { type AgentKey, decodeAgentKeys } from '../../crds/agent-token.ts';
import type { ClusterTunnel } from '../../crds/types.ts';
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { KubeClient } from '../kube/client.ts';
import { type DataObject, type KubeObject, RESOURCES } from '../kube/objects.ts';
import { Reflector } from '../kube/reflector.ts';
import { type Change, Store } from '../kube/store.ts';
import { keysName, MANAGED_BY, MANAGED_BY_LABEL, TUNNEL_LABEL } from './names.ts';

export interface CachesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** The operator's namespace. */
  readonly namespace: string;
  readonly onTunnel: (change: Change<KubeObject>) => void;
  /** A Secret of keys or a ClusterRoleBinding of ours changed. */
  readonly onBelonging: (change: Change<KubeObject>) => void;
}

/** What every replica watches, leader or not: tunnels, the keys of their agents, and our bindings. */
export interface Caches {
  readonly tunnels: Store<ClusterTunnel & KubeObject>;
  readonly keys: Store<DataObject>;
  readonly synced: Promise<unknown>;
  readonly hasSynced: () => boolean;
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<unknown>;
}

const KEY_ID_INDEX = 'keyId';

/** The caches, not yet running. */
export function createCaches({ onTunnel, onBelonging, namespace, ...shared }: CachesOptions): Caches {
  const tunnels = new Store<ClusterTunnel & KubeObject>({ onChange: onTunnel });
  const keys = new Store<DataObject>({
    indexes: { [KEY_ID_INDEX]: (secret) => Object.keys(secret.data ?? {}) },
    onChange: onBelonging,
  });
  const bindings = new Store<KubeObject>({ onChange: onBelonging });
  const reflectors = [
    new Reflector({ ...shared, resource: RESOURCES.clusterTunnel, store: tunnels }),
    new Reflector({
      ...shared,
      resource: RESOURCES.secret,
      address: { namespace },
      labelSelector: TUNNEL_LABEL,
      store: keys,
    }),
    new Reflector({
      ...shared,
      resource: RESOURCES.clusterRoleBinding,
      labelSelector: `${TUNNEL_LABEL},${MANAGED_BY_LABEL}=${MANAGED_BY}`,
      store: bindings,
    }),
  ];
  return {
    tunnels,
    keys,
    synced: Promise.all(reflectors.map(({ synced }) => synced)),
    hasSynced: () => reflectors.every(({ hasSynced }) => hasSynced),
    run: (signal) => Promise.all(reflectors.map((reflector) => reflector.run(signal))),
  };
}

/** Whether a token was issued for this very tunnel, not for a deleted namesake. */
export function hasAgentKey({ keys }: Pick<Caches, 'keys'>, namespace: string, { metadata }: ClusterTunnel): boolean {
  const secret = keys.get(`${namespace}/${keysName(metadata.name)}`);
  return decodeAgentKeys(secret?.data).some(({ tunnelUid }) => tunnelUid === metadata.uid);
}

/** The key with this id, if its tunnel still exists and is the one that it was made for. */
export function findAgentKey({ keys, tunnels }: Pick<Caches, 'keys' | 'tunnels'>, keyId: string): AgentKey | undefined {
  const key = keys
    .byIndex(KEY_ID_INDEX, keyId)
    .flatMap(({ data }) => decodeAgentKeys(data))
    .find((each) => each.keyId === keyId);
  if (key === undefined) return undefined;
  const { uid, deletionTimestamp } = tunnels.get(key.tunnel)?.metadata ?? {};
  return uid === key.tunnelUid && deletionTimestamp === undefined ? key : undefined;
}
