import { createHash } from 'node:crypto';
import type { Clock } from '../../../process/clock.ts';
import type { HubUser } from './identity.ts';
import { Recent } from './recent.ts';
import { Reviews } from './reviews.ts';

/** What is asked for: resourceAttributes of an authorization.k8s.io/v1 SubjectAccessReview. */
export interface ResourceAttributes {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly verb: string;
}

/** spec of an authorization.k8s.io/v1 SubjectAccessReview. */
export interface AccessSpec {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
  readonly resourceAttributes: ResourceAttributes;
}

/** SubjectAccessReview at the hub. Answers its status; throws when the hub cannot answer. */
export type ReviewAccess = (spec: AccessSpec, signal: AbortSignal) => Promise<unknown>;

const TTL_MS = 10_000;
const MAX_DECISIONS = 50_000;

/** May this user do that? Asked of the hub's RBAC; answers are kept for 10 s. */
export class Authorizer {
  readonly #review: ReviewAccess;
  readonly #reviews: Reviews;
  readonly #recent: Recent<boolean>;

  constructor(review: ReviewAccess, clock: Clock) {
    this.#review = review;
    this.#reviews = new Reviews({ clock, what: 'requests' });
    this.#recent = new Recent({ clock, ttlMs: TTL_MS, maxEntries: MAX_DECISIONS });
  }

  /** Rejects when the hub cannot say, and with a TunnelError when too many ask. */
  isAllowed(user: HubUser, attributes: ResourceAttributes): Promise<boolean> {
    const spec = accessSpec(user, attributes);
    const key = createHash('sha256').update(JSON.stringify(spec)).digest('base64');
    return this.#recent.get(key, () => this.#reviewed(spec));
  }

  /** Asks the hub in any case, and keeps nothing. Rejects as `isAllowed` does. */
  review(user: HubUser, attributes: ResourceAttributes): Promise<boolean> {
    return this.#reviewed(accessSpec(user, attributes));
  }

  async #reviewed(spec: AccessSpec): Promise<boolean> {
    return isAllowed(await this.#reviews.ask(spec.user, (signal) => this.#review(spec, signal)));
  }
}

/** `clustertunnels/proxy` of this tunnel, with the verb of the inner request. */
export function throughTunnel(tunnel: string, verb: string): ResourceAttributes {
  return { group: 'clustertunnel.io', resource: 'clustertunnels', subresource: 'proxy', name: tunnel, verb };
}

/** The question, with everything that is known of the user. */
export function accessSpec(
  { username, uid, groups, extra }: HubUser,
  resourceAttributes: ResourceAttributes,
): AccessSpec {
  return { user: username, uid, groups, extra, resourceAttributes };
}

function isAllowed(status: unknown): boolean {
  if (typeof status !== 'object' || status === null) return false;
  const { allowed, denied } = status as { allowed?: unknown; denied?: unknown };
  return allowed === true && denied !== true;
}
