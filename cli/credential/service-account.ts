import type { KubeClient } from '../../operator/kube/client.ts';
import { CommandError } from '../output.ts';
import type { Credential } from './exec-credential.ts';

export interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}

const PART = '[a-z0-9]([-a-z0-9.]*[a-z0-9])?';
const NAME = new RegExp(`^(${PART})/(${PART})$`);
/** API servers cap what is asked for; below ten minutes they refuse. */
const LIFETIME_SECONDS = 3_600;

/** @throws CommandError */
export function serviceAccountName(text: string): ServiceAccountName {
  const [, namespace, , name] = NAME.exec(text) ?? [];
  if (namespace !== undefined && name !== undefined) return { namespace, name };
  throw new CommandError({
    what: `--service-account ${JSON.stringify(text)} names none`,
    why: 'it is not NAMESPACE/NAME',
    remedy: 'for example --service-account ci/deployer (`kubectl get serviceaccounts -A` lists them)',
  });
}

export interface TokenWish extends ServiceAccountName {
  /** Empty: the hub's API server. */
  readonly audiences: readonly string[];
}

/** A token of the hub for an hour, by TokenRequest: the right to `create serviceaccounts/token` is needed. */
export async function serviceAccountToken(
  client: KubeClient,
  { namespace, name, audiences }: TokenWish,
  signal: AbortSignal,
): Promise<Credential> {
  const spec = { expirationSeconds: LIFETIME_SECONDS, ...(audiences.length > 0 ? { audiences } : {}) };
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  const answer = await client.create<{ status?: { token?: string; expirationTimestamp?: string } }>(
    { apiVersion: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts' },
    { namespace, name, subresource: 'token' },
    request,
    signal,
  );
  const { token, expirationTimestamp } = answer.status ?? {};
  if (token === undefined) throw new Error('the hub answered a TokenRequest without a token');
  return { token, ...(expirationTimestamp === undefined ? {} : { expirationTimestamp }) };
}
