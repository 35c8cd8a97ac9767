import { createHash } from 'node:crypto';
import type { Clock } from '../../../process/clock.ts';
import type { Tunnels, TunnelView } from '../sessions/tunnels.ts';
import type { Gate } from './gate.ts';
import type { HubUser } from './identity.ts';
import { Recent } from './recent.ts';
import { TunnelError } from './tunnel-error.ts';
import { Turns } from './turns.ts';

/** The right that makes a tunnel one of the caller's. */
const VERB = 'get';
/** Review of every tunnel at once; the API server reads an empty name so. */
const ALL_TUNNELS = '';
/** Reviews for lists under way at once, whosesoever: the hub has others to answer. */
const MAX_REVIEWS = 16;
/** Lists under way at once, each with its reviews in line. */
export const MAX_LISTS = 64;
/** A list is made within this time and kept for it: never older, and one a user at a time. */
const LIST_MS = 10_000;
/** Names of 5,000 tunnels each: a few megabytes. */
const MAX_KEPT_LISTS = 200;

export interface UsableTunnelsOptions {
  readonly gate: Gate;
  readonly tunnels: Tunnels;
  readonly clock: Clock;
}

/**
 * The tunnels that somebody may use. Who may not use all costs the hub a review for each tunnel, and needs no right for
 * it: so all lists together have few reviews under way, and a user's list is made once in 10 s.
 */
export class UsableTunnels {
  readonly #options: UsableTunnelsOptions;
  readonly #recent: Recent<ReadonlySet<string>>;
  readonly #turns = new Turns(MAX_REVIEWS);
  #lists = 0;

  constructor(options: UsableTunnelsOptions) {
    this.#options = options;
    this.#recent = new Recent({ clock: options.clock, ttlMs: LIST_MS, maxEntries: MAX_KEPT_LISTS });
  }

  /** Those that exist now, or why that cannot be said. Rejects only over a bug. */
  async of(user: HubUser): Promise<TunnelView[] | TunnelError> {
    const mayAll = await this.#options.gate.isAllowed(user, ALL_TUNNELS, VERB);
    if (mayAll instanceof TunnelError) return mayAll;
    if (mayAll) return this.#existing();
    try {
      const granted = await this.#recent.get(keyOf(user), () => this.#granted(user));
      return this.#existing().filter(({ name }) => granted.has(name));
    } catch (error) {
      if (error instanceof TunnelError) return error;
      throw error;
    }
  }

  #existing(): TunnelView[] {
    return this.#options.tunnels.list().filter(({ isDeleting }) => !isDeleting);
  }

  /** Names that the hub grants one by one. @throws TunnelError the first trouble, or that it takes too long */
  async #granted(user: HubUser): Promise<ReadonlySet<string>> {
    if (this.#lists >= MAX_LISTS) throw new TunnelError('queue_full', `${MAX_LISTS} lists of tunnels are being made`);
    this.#lists += 1;
    const review: Review = { left: this.#existing(), granted: new Set(), hasEnded: false };
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      const error = new TunnelError(
        'auth_unavailable',
        `the hub did not review all tunnels within ${LIST_MS / 1000} s`,
      );
      cancel = this.#options.clock.after(LIST_MS, () => reject(error));
    });
    try {
      const work = Array.from({ length: MAX_REVIEWS }, () => this.#work(user, review));
      await Promise.race([Promise.all(work), late]);
      return review.granted;
    } finally {
      review.hasEnded = true;
      cancel();
      this.#lists -= 1;
    }
  }

  /** One tunnel after the other, until none is left or the list has ended. */
  async #work(user: HubUser, review: Review): Promise<void> {
    const ask = async () => {
      const view = review.hasEnded ? undefined : review.left.pop();
      if (view === undefined) return false;
      const verdict = await this.#options.gate.review(user, view.name, VERB);
      if (verdict instanceof TunnelError) throw verdict;
      if (verdict) review.granted.add(view.name);
      return true;
    };
    while (await this.#turns.take(ask)) {
      // Each review waits for its turn among those of the other lists.
    }
  }
}

interface Review {
  readonly left: TunnelView[];
  readonly granted: Set<string>;
  hasEnded: boolean;
}

function keyOf({ username, uid, groups, extra }: HubUser): string {
  return createHash('sha256')
    .update(JSON.stringify([username, uid, groups, extra]))
    .digest('base64');
}
