import { type AgentKey, decodeAgentKeys } from '../../crds/agent-token.ts';
import type { ClusterTunnel } from '../../crds/types.ts';
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { KubeClient } from '../kube/client.ts';
import { type DataObject, type KubeObject, RESOURCES } from '../kube/objects.ts';
import { Reflector } from '../kube/reflector.ts';
import { type Change, Store } from '../kube/store.ts';
import { KubeconfigSecrets, kubeconfigsIn } from './clusters/kubeconfig-secrets.ts';
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
  /** A Secret that a kubeconfigSecretRef of the tunnel names came, changed or went. */
  readonly onKubeconfig: (tunnel: string) => void;
}

/** What every replica watches, leader or not: tunnels, the keys of their agents, kubeconfigs, and our bindings. */
export interface Caches {
  readonly tunnels: Store<ClusterTunnel & KubeObject>;
  readonly keys: Store<DataObject>;
  readonly kubeconfigs: KubeconfigSecrets;
  readonly synced: Promise<unknown>;
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<unknown>;
}

const KEY_ID_INDEX = 'keyId';
const KUBECONFIG_INDEX = 'kubeconfig';
const OURS = `${TUNNEL_LABEL},${MANAGED_BY_LABEL}=${MANAGED_BY}`;
/** Releases of Helm live beside us, up to a megabyte each, and never hold a kubeconfig of ours. */
const NO_RELEASES = 'type!=helm.sh/release.v1';
/** Secrets may have a megabyte each: a page must stay below what the transport takes. */
const SECRETS_PAGE_SIZE = 40;

/** The caches, not yet running. */
export function createCaches(options: CachesOptions): Caches {
  const { onTunnel, onBelonging, onKubeconfig, namespace, ...shared } = options;
  const tunnels = new Store<ClusterTunnel & KubeObject>({
    indexes: { [KUBECONFIG_INDEX]: kubeconfigSecretsOf },
    onChange: onTunnel,
  });
  const keys = new Store<DataObject>({
    indexes: { [KEY_ID_INDEX]: (secret) => Object.keys(secret.data ?? {}) },
    onChange: onBelonging,
  });
  const kubeconfigs = new Store<DataObject>({
    onChange: ({ object }) => {
      for (const { metadata } of tunnels.byIndex(KUBECONFIG_INDEX, object.metadata.name)) onKubeconfig(metadata.name);
    },
  });
  const bindings = new Store<KubeObject>({ onChange: onBelonging });
  const secrets = { ...shared, resource: RESOURCES.secret, address: { namespace } };
  const reflectors = [
    new Reflector({ ...shared, resource: RESOURCES.clusterTunnel, store: tunnels }),
    new Reflector({ ...secrets, labelSelector: OURS, select: onlyKeys, store: keys }),
    new Reflector({
      ...secrets,
      fieldSelector: NO_RELEASES,
      pageSize: SECRETS_PAGE_SIZE,
      select: kubeconfigsIn,
      store: kubeconfigs,
    }),
    new Reflector({ ...shared, resource: RESOURCES.clusterRoleBinding, labelSelector: OURS, store: bindings }),
  ];
  return {
    tunnels,
    keys,
    kubeconfigs: new KubeconfigSecrets(kubeconfigs, namespace),
    synced: Promise.all(reflectors.map(({ synced }) => synced)),
    run: (signal) => Promise.all(reflectors.map((reflector) => reflector.run(signal))),
  };
}

/** Names of the Secrets that hold a tunnel's kubeconfigs: of its agent, and of its fallback. */
function kubeconfigSecretsOf({ spec }: ClusterTunnel): string[] {
  const refs = [spec?.agent?.kubeconfigSecretRef, spec?.fallback?.kubeconfigSecretRef];
  return [...new Set(refs.flatMap((ref) => (ref?.name === undefined ? [] : [ref.name])))];
}

/** A label alone makes no key: users put Secrets beside ours, and label them as they like. */
function onlyKeys(secret: DataObject): DataObject | undefined {
  const { name, labels } = secret.metadata;
  return name === keysName(labels?.[TUNNEL_LABEL] ?? '') ? secret : undefined;
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
    .flatMap(({ metadata, data }) => decodeAgentKeys(data).filter((each) => metadata.name === keysName(each.tunnel)))
    .find((each) => each.keyId === keyId);
  if (key === undefined) return undefined;
  const { uid, deletionTimestamp } = tunnels.get(key.tunnel)?.metadata ?? {};
  return uid === key.tunnelUid && deletionTimestamp === undefined ? key : undefined;
}
