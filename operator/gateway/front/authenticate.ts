import { createHash } from 'node:crypto';
import type { Clock } from '../../../process/clock.ts';
import type { HubUser } from './identity.ts';
import { Recent } from './recent.ts';
import { withinLimit } from './review-limit.ts';

/** TokenReview at the hub. Answers authentication.k8s.io/v1 TokenReviewStatus; throws when the hub cannot answer. */
export type ReviewToken = (token: string, signal: AbortSignal) => Promise<unknown>;

/** Source: the API server's own cache of authenticated tokens. */
const TTL_MS = 10_000;
const MAX_TOKENS = 10_000;

/** Bearer token → hub user, by TokenReview. Answers are kept for 10 s; one review a token is under way at a time. */
export class Authenticator {
  readonly #review: ReviewToken;
  readonly #clock: Clock;
  readonly #recent: Recent<HubUser | undefined>;

  constructor(review: ReviewToken, clock: Clock) {
    this.#review = review;
    this.#clock = clock;
    this.#recent = new Recent({ clock, ttlMs: TTL_MS, maxEntries: MAX_TOKENS });
  }

  /** The user; undefined when the hub does not know the token. Rejects when the hub cannot say. */
  authenticate(token: string): Promise<HubUser | undefined> {
    const key = createHash('sha256').update(token).digest('base64');
    return this.#recent.get(key, async () =>
      hubUserOf(await withinLimit(this.#clock, (signal) => this.#review(token, signal))),
    );
  }
}

/** The user in a TokenReviewStatus, only if it says `authenticated: true`, no error, and a name. */
export function hubUserOf(status: unknown): HubUser | undefined {
  if (typeof status !== 'object' || status === null) return undefined;
  const { authenticated, error, user } = status as { authenticated?: unknown; error?: unknown; user?: unknown };
  if (authenticated !== true || (error !== undefined && error !== '')) return undefined;
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
