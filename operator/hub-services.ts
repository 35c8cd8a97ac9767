import type { ReviewToken } from './gateway/front/authenticate.ts';
import type { ReviewAccess } from './gateway/front/authorize.ts';
import type { SecretShelf } from './gateway/front/keep-certificates.ts';
import type { KubeClient } from './kube/client.ts';
import { isConflict } from './kube/errors.ts';
import { type DataObject, RESOURCES, type Resource } from './kube/objects.ts';

/** Longest a Secret call may take at start. */
const SECRET_TIMEOUT_MS = 15_000;

const TOKEN_REVIEW: Resource = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', plural: 'tokenreviews' };
const ACCESS_REVIEW: Resource = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
};

/** TokenReview at the hub. */
export function tokenReviewer(client: KubeClient): ReviewToken {
  return (token, audiences, signal) => {
    const spec = audiences.length === 0 ? { token } : { token, audiences };
    return review(client, TOKEN_REVIEW, spec, signal);
  };
}

/** SubjectAccessReview at the hub. */
export function accessReviewer(client: KubeClient): ReviewAccess {
  return (spec, signal) => review(client, ACCESS_REVIEW, spec, signal);
}

async function review(client: KubeClient, resource: Resource, spec: object, signal: AbortSignal): Promise<unknown> {
  const { apiVersion, kind } = resource;
  const answer = await client.create<{ status?: unknown }>(resource, {}, { apiVersion, kind, spec }, signal);
  return answer.status;
}

/** The Secrets of one namespace, values as text. */
export function secretShelf(client: KubeClient, namespace: string): SecretShelf {
  const signal = () => AbortSignal.timeout(SECRET_TIMEOUT_MS);
  const bodyOf = (name: string, type: string, data: Readonly<Record<string, string>>) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type,
    metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'clustertunnel' } },
    stringData: data,
  });
  const create: SecretShelf['create'] = async (name, type, data) => {
    try {
      await client.create(RESOURCES.secret, { namespace, name }, bodyOf(name, type, data), signal());
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  };
  return {
    create,
    async read(name) {
      const secret = await client.find<DataObject>(RESOURCES.secret, { namespace, name }, signal());
      return secret === undefined ? undefined : decoded(secret.data ?? {});
    },
    async replace(name, type, data) {
      if (await create(name, type, data)) return;
      await client.replace(RESOURCES.secret, { namespace, name }, bodyOf(name, type, data), signal());
    },
  };
}

function decoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [name, Buffer.from(value, 'base64').toString('utf8')]),
  );
}
