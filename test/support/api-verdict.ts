import type { ApiClient } from '../../hack/lab/api/client.ts';
import { ApiError } from '../../hack/lab/api/client.ts';
import { pathOf, RESOURCES } from '../../operator/kube/objects.ts';

/** What the API server thinks of a spec. */
export interface ApiVerdict {
  /** Words by the path of each field that is to blame; empty when it is accepted. */
  readonly blamed: ReadonlyMap<string, readonly string[]>;
  /** Whether it asked its rules: after a wrong type it does not. */
  readonly hasAskedRules: boolean;
  /** With defaults; undefined when refused. */
  readonly spec: unknown;
}

const UNASKED = /some validation rules were not checked/;

/** Asks for a new tunnel with this spec, in raw JSON; nothing is stored. */
export async function apiVerdict(api: ApiClient, spec: unknown): Promise<ApiVerdict> {
  const strict = await dryRun(api, spec, 'Strict');
  if (!(strict instanceof ApiError)) return { blamed: new Map(), hasAskedRules: true, spec: strict };
  const unknown = [...strict.words.matchAll(/unknown field "([^"]+)"/g)].map(([, path = '']) => path);
  // It looks no further when a field is unknown: once more, without it.
  const rest = unknown.length === 0 ? strict : await dryRun(api, spec, 'Ignore');
  const causes = rest instanceof ApiError ? rest.causes : [];
  const blamed = new Map(unknown.map((path) => [path, ['unknown field']]));
  for (const { field = '', message = '' } of causes) {
    if (field !== '<nil>') blamed.set(field, [...(blamed.get(field) ?? []), message]);
  }
  if (blamed.size === 0) throw strict;
  return { blamed, hasAskedRules: !causes.some(({ message = '' }) => UNASKED.test(message)), spec: undefined };
}

async function dryRun(api: ApiClient, spec: unknown, fieldValidation: string): Promise<unknown> {
  const { apiVersion, kind } = RESOURCES.clusterTunnel;
  const path = `${pathOf(RESOURCES.clusterTunnel)}?dryRun=All&fieldValidation=${fieldValidation}`;
  const body = { apiVersion, kind, metadata: { name: 'probe' }, spec };
  try {
    return (await api.call<{ spec: unknown }>({ method: 'POST', path, body })).spec;
  } catch (error) {
    if (error instanceof ApiError && [400, 422].includes(error.status)) return error;
    throw error;
  }
}
