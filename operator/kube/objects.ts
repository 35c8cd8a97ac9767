import { API_VERSION, KIND, PLURAL } from '../../crds/schema.ts';

/** Metadata of any object, as far as we use it. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
}

/** Any object, raw JSON. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A Secret or ConfigMap. Secret values are base64. */
export interface DataObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface KubeList<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[];
}

/** A kind that we read or write: where its objects stand below /api or /apis. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}

/** Every kind that we touch. */
export const RESOURCES = {
  clusterTunnel: { apiVersion: API_VERSION, kind: KIND, plural: PLURAL },
  namespace: { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' },
  secret: { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' },
  configMap: { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' },
  serviceAccount: { apiVersion: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts' },
  pod: { apiVersion: 'v1', kind: 'Pod', plural: 'pods' },
  deployment: { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' },
  clusterRole: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', plural: 'clusterroles' },
  clusterRoleBinding: {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    plural: 'clusterrolebindings',
  },
  lease: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' },
  event: { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' },
} as const satisfies Readonly<Record<string, Resource>>;

export interface ObjectAddress {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** The URL path of a collection (no name) or of an object. */
export function pathOf(resource: Resource, { namespace, name, subresource }: ObjectAddress = {}): string {
  const root = resource.apiVersion.includes('/') ? '/apis' : '/api';
  return [
    root,
    resource.apiVersion,
    ...(namespace === undefined ? [] : ['namespaces', encodeURIComponent(namespace)]),
    resource.plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ].join('/');
}

/** The resource of an object that we wrote. @throws RangeError for a kind that is not in RESOURCES: our bug. */
export function resourceOf({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): Resource {
  const found = Object.values(RESOURCES).find((each) => each.kind === kind && each.apiVersion === apiVersion);
  if (found === undefined) throw new RangeError(`${apiVersion} ${kind} is no kind that we write`);
  return found;
}

/** "Secret clustertunnel-agent/clustertunnel-agent-prod", for messages. */
export function describeObject({ kind, metadata }: Pick<KubeObject, 'kind' | 'metadata'>): string {
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}
