import type { Clock } from '../../../process/clock.ts';
import { TunnelError } from '../front/tunnel-error.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

/** Buckets kept of users, and of tunnels. The one that was used longest ago goes first: it is mostly full, as a new one is. */
const MAX_BUCKETS = 10_000;

export interface RatesOptions {
  readonly clock: Clock;
  /** Of each user over all tunnels; undefined: any. */
  readonly perUser: Rate | undefined;
  readonly maxBuckets?: number;
}

/** A request that counts: whose, of which tunnel. */
export interface Charged {
  readonly tunnel: string;
  /** For the error, without the query. */
  readonly path: string;
  readonly user: string;
  /** limits.rateLimit of the tunnel as it is now; undefined: any. */
  readonly rate: Rate | undefined;
}

/** How many requests may come in a second: of each user, and of each tunnel. */
export class Rates {
  readonly #options: RatesOptions;
  readonly #users: Buckets;
  readonly #tunnels: Buckets;

  constructor(options: RatesOptions) {
    const { maxBuckets = MAX_BUCKETS } = options;
    this.#options = options;
    this.#users = new Buckets(maxBuckets);
    this.#tunnels = new Buckets(maxBuckets);
  }

  /** Buckets that are kept. */
  get size(): number {
    return this.#users.size + this.#tunnels.size;
  }

  /** Counts one request; or says why it is one too many, and counts nothing: who is refused takes nothing of the others'. */
  refusal({ tunnel, path, user, rate }: Charged): TunnelError | undefined {
    const { clock, perUser } = this.#options;
    const nowMs = clock.nowMs();
    const own = perUser === undefined ? undefined : this.#users.of(user);
    if (own !== undefined && perUser !== undefined && !own.has(perUser, nowMs)) {
      const message = `user "${user}" sends more than ${perUser.requestsPerSecond} requests a second to this gateway`;
      return new TunnelError('rate_limited', message, { tunnel, path });
    }
    if (rate !== undefined && !this.#tunnels.of(tunnel).take(rate, nowMs)) {
      const message = `tunnel "${tunnel}" gets more than ${rate.requestsPerSecond} requests a second (spec.limits.rateLimit)`;
      return new TunnelError('rate_limited', message, { tunnel, path });
    }
    if (perUser !== undefined) own?.take(perUser, nowMs);
    return undefined;
  }
}

/** Buckets by name, the last used last. */
class Buckets {
  readonly #max: number;
  readonly #byName = new Map<string, TokenBucket>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#byName.size;
  }

  of(name: string): TokenBucket {
    const bucket = this.#byName.get(name) ?? new TokenBucket();
    this.#byName.delete(name);
    this.#byName.set(name, bucket);
    const oldest = this.#byName.keys().next().value;
    if (this.#byName.size > this.#max && oldest !== undefined) this.#byName.delete(oldest);
    return bucket;
  }
}
