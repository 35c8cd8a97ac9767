import type { ClusterTunnel } from '../../../crds/types.ts';
import { OBJECT_MANAGER } from '../../../operator/kube/apply.ts';
import type { DataObject, KubeObject } from '../../../operator/kube/objects.ts';
import { describeMade, type Made, theKeys } from './made.ts';

/** Everything of the tunnel, made comparable. */
export interface Snapshot {
  /** By what describeMade calls them. */
  readonly objects: Readonly<Record<string, unknown>>;
  readonly tunnel: { readonly spec: unknown; readonly finalizers: unknown; readonly status: PlainStatus };
}

type PlainStatus = Readonly<Record<string, unknown>> & Pick<NonNullable<ClusterTunnel['status']>, 'lastDisconnect'>;

interface ManagedField {
  readonly manager?: string;
  readonly operation?: string;
  readonly fieldsV1?: unknown;
}

type Metadata = KubeObject['metadata'] & {
  readonly managedFields?: readonly ManagedField[];
  readonly ownerReferences?: unknown;
};

/** What two worlds with the same spec have in common: no ids, no versions, no times, no random bytes. */
export function normalised(
  tunnel: ClusterTunnel,
  objects: readonly (readonly [Made, KubeObject | undefined])[],
): Snapshot {
  const plainObjects = objects.map(([made, object]) => [describeMade(made), plain(made, object)]);
  const snapshot = {
    objects: Object.fromEntries(plainObjects),
    tunnel: { spec: tunnel.spec, finalizers: tunnel.metadata.finalizers, status: plainStatus(tunnel) },
  };
  const uids = objects.map(([made, object]) => [object?.metadata.uid, `<uid of ${describeMade(made)}>`] as const);
  return named(snapshot, [[tunnel.metadata.uid, '<uid of the tunnel>'], ...uids]);
}

/** What refers to an object by its uid refers to the one that is there now. */
function named<T>(value: T, uids: readonly (readonly [uid: string | undefined, name: string])[]): T {
  const text = JSON.stringify(value);
  return JSON.parse(uids.reduce((said, [uid, name]) => (uid ? said.replaceAll(uid, name) : said), text)) as T;
}

function plain(made: Made, object: KubeObject | undefined): unknown {
  if (object === undefined) return undefined;
  // `immutable` is not ours to say: who set it may keep it while nothing must change.
  const { status: _, immutable: __, ...rest } = object as KubeObject & Record<'status' | 'immutable', unknown>;
  const { labels, annotations, ownerReferences, finalizers, managedFields = [] } = object.metadata as Metadata;
  const ours = managedFields.find(({ manager, operation }) => manager === OBJECT_MANAGER && operation === 'Apply');
  const data = made === theKeys ? 'keys' : plainData(object);
  const metadata = { labels, annotations, ownerReferences, finalizers };
  return { ...rest, metadata, ownedByUs: ours?.fieldsV1, data };
}

/** Tokens are random: that a key fits them was checked. */
function plainData({ data }: DataObject): unknown {
  return data === undefined ? undefined : { ...data, token: 'token' };
}

function plainStatus({ status = {}, metadata }: ClusterTunnel): PlainStatus {
  // What is known of a cluster stays known when it cannot be asked: a new tunnel cannot know it yet.
  const { conditions = [], observedGeneration, kubernetesVersion: _, ...rest } = status;
  const isOf = (generation: number | undefined) => generation === metadata.generation;
  const plainConditions = conditions.map(({ type, lastTransitionTime: _, observedGeneration: of, ...condition }) => [
    type,
    { ...condition, isCurrent: isOf(of) },
  ]);
  return { ...rest, isCurrent: isOf(observedGeneration), conditions: Object.fromEntries(plainConditions) };
}
