import type { ApiClient } from '../api/client.ts';
import type { Pod, TokenProjection } from '../api/pod.ts';

/** Projections that agree in this share a token. */
interface TokenKind {
  readonly audience?: string | undefined;
  readonly expirationSeconds?: number | undefined;
}

interface Held {
  readonly token: string;
  readonly renewAtMs: number;
}

/** A token is renewed when this share of its life is over, or after a day, as the kubelet does. */
const RENEW_SHARE = 0.8;
const MAX_AGE_MS = 24 * 3600 * 1000;

/** The service-account tokens of one pod, bound to it, each renewed before it expires. */
export class PodTokens {
  readonly #client: ApiClient;
  readonly #pod: Pod;
  readonly #held = new Map<string, Held>();

  constructor(client: ApiClient, pod: Pod) {
    this.#client = client;
    this.#pod = pod;
  }

  /** Gets every token that is missing or due. @throws ApiError or a connection's error if one could not be had */
  async renew(projections: readonly TokenProjection[]): Promise<void> {
    for (const projection of projections) {
      const held = this.#held.get(keyOf(projection));
      if (held !== undefined && Date.now() < held.renewAtMs) continue;
      this.#held.set(keyOf(projection), await this.#request(projection));
    }
  }

  /** The token that renew() got. */
  get(projection: TokenKind): string {
    return this.#held.get(keyOf(projection))?.token ?? '';
  }

  async #request({ audience, expirationSeconds = 3600 }: TokenProjection): Promise<Held> {
    const { metadata, spec } = this.#pod;
    const account = spec.serviceAccountName ?? 'default';
    const response = await this.#client.call<{ status: { token: string; expirationTimestamp: string } }>({
      method: 'POST',
      path: `/api/v1/namespaces/${metadata.namespace}/serviceaccounts/${account}/token`,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: audience ? [audience] : [],
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid },
        },
      },
    });
    const nowMs = Date.now();
    const lifeMs = Math.min(expirationSeconds * 1000, Date.parse(response.status.expirationTimestamp) - nowMs);
    return { token: response.status.token, renewAtMs: nowMs + Math.min(lifeMs * RENEW_SHARE, MAX_AGE_MS) };
  }
}

function keyOf({ audience = '', expirationSeconds = 3600 }: TokenKind): string {
  return `${expirationSeconds} ${audience}`;
}
