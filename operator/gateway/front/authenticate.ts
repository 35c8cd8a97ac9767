import { createHash } from 'node:crypto';
import type { Clock } from '../../../process/clock.ts';
import type { FailedLogins } from './failed-logins.ts';
import type { HubUser } from './identity.ts';
import { Recent } from './recent.ts';
import { Reviews } from './reviews.ts';
import { TunnelError } from './tunnel-error.ts';

/** TokenReview at the hub. Answers authentication.k8s.io/v1 TokenReviewStatus; throws when the hub cannot answer. */
export type ReviewToken = (token: string, audiences: readonly string[], signal: AbortSignal) => Promise<unknown>;

/** Source: the API server's own cache of authenticated tokens. */
const TTL_MS = 10_000;
const MAX_TOKENS = 10_000;
/** A token that was nobody's: short, because it may be somebody's soon. The API server itself keeps none. */
const NOBODY_TTL_MS = 3_000;
/** Apart from the others: guesses must not push out who is known. */
const MAX_NOBODIES = 1_000;

export interface AuthenticatorOptions {
  readonly review: ReviewToken;
  /** A token must be for one of these; none: for the hub's API server. */
  readonly audiences: readonly string[];
  readonly failedLogins: FailedLogins;
  readonly clock: Clock;
}

/** Bearer token → hub user, by TokenReview. Answers are kept for 10 s; one review a token is under way at a time. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #reviews: Reviews;
  readonly #users: Recent<HubUser>;
  readonly #nobodies: Recent<undefined>;

  constructor(options: AuthenticatorOptions) {
    const { clock } = options;
    this.#options = options;
    this.#reviews = new Reviews({ clock, what: 'log-ins' });
    this.#users = new Recent({ clock, ttlMs: TTL_MS, maxEntries: MAX_TOKENS });
    this.#nobodies = new Recent({ clock, ttlMs: NOBODY_TTL_MS, maxEntries: MAX_NOBODIES });
  }

  /**
   * The user; undefined when the hub does not know the token. Rejects when the hub cannot say, and with a TunnelError when
   * there are too many to ask for. `address`: where the client is.
   */
  async authenticate(token: string, address: string): Promise<HubUser | undefined> {
    const key = createHash('sha256').update(token).digest('base64');
    if (this.#nobodies.has(key)) return undefined;
    try {
      return await this.#users.get(key, () => this.#reviewed(token, address));
    } catch (error) {
      if (error !== NOBODY) throw error;
      void this.#nobodies.get(key, async () => undefined);
      return undefined;
    }
  }

  /** Rejects with NOBODY when there is no such user: only users are kept. */
  async #reviewed(token: string, address: string): Promise<HubUser> {
    const { review, audiences, failedLogins } = this.#options;
    if (!failedLogins.mayTry(address)) throw new TunnelError('rate_limited', TOO_MANY_FAILED);
    const status = await this.#reviews.ask(address, (signal) => review(token, audiences, signal));
    const user = hubUserOf(status, audiences);
    if (user !== undefined) return user;
    failedLogins.failed(address);
    throw NOBODY;
  }
}

const NOBODY = new Error('the hub does not know this token');
const TOO_MANY_FAILED = 'too many log-ins from this address failed: known tokens are served, others in a moment';

/**
 * The user in a TokenReviewStatus, only if it says `authenticated: true`, no error, and a name; and, where audiences were
 * asked for, one of them. Without that the reviewer may not know audiences at all (source: the API of TokenReview,
 * status.audiences).
 */
export function hubUserOf(status: unknown, audiences: readonly string[]): HubUser | undefined {
  if (typeof status !== 'object' || status === null) return undefined;
  const { authenticated, error, user, audiences: compatible } = status as Record<string, unknown>;
  if (authenticated !== true || (error !== undefined && error !== '')) return undefined;
  if (audiences.length > 0 && !textsOf(compatible).some((audience) => audiences.includes(audience))) return undefined;
  if (typeof user !== 'object' || user === null) return undefined;
  const { username, uid, groups, extra } = user as Record<string, unknown>;
  if (typeof username !== 'string' || username === '') return undefined;
  return { username, uid: typeof uid === 'string' ? uid : '', groups: textsOf(groups), extra: extrasOf(extra) };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function extrasOf(value: unknown): Record<string, readonly string[]> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([key, texts]) => [key, textsOf(texts)]));
}
