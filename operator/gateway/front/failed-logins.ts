import { isIPv6 } from 'node:net';
import type { Clock } from '../../../process/clock.ts';

/** A burst is so many seconds' worth. */
const BURST_SECONDS = 10;
/** Addresses kept; the one that failed longest ago goes first. */
const MAX_ADDRESSES = 10_000;
/** An IPv4 address on a socket that takes both (RFC 4291 §2.5.5.2). */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
/** One network of a site (RFC 6177): its owner has 2^64 addresses in it. */
const IPV6_NETWORK_GROUPS = 4;

export interface FailedLoginsOptions {
  readonly clock: Clock;
  /** Of one address, in the long run; 0: any number. */
  readonly perSecond: number;
}

/**
 * How many unknown tokens an address may still have reviewed. Only failures count, so users behind one load balancer do not
 * hinder each other, until one of them guesses.
 */
export class FailedLogins {
  readonly #options: FailedLoginsOptions;
  /** Failures not yet forgiven, as of a moment. */
  readonly #byNetwork = new Map<string, { readonly failures: number; readonly atMs: number }>();

  constructor(options: FailedLoginsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byNetwork.size;
  }

  /** Whether a token from there may be reviewed. */
  mayTry(address: string): boolean {
    const { perSecond } = this.#options;
    return perSecond === 0 || this.#failuresOf(networkOf(address)) < perSecond * BURST_SECONDS;
  }

  /** A token from there was nobody's. */
  failed(address: string): void {
    if (this.#options.perSecond === 0) return;
    const network = networkOf(address);
    const failures = this.#failuresOf(network) + 1;
    this.#byNetwork.delete(network);
    this.#byNetwork.set(network, { failures, atMs: this.#options.clock.nowMs() });
    const oldest = this.#byNetwork.keys().next().value;
    if (this.#byNetwork.size > MAX_ADDRESSES && oldest !== undefined) this.#byNetwork.delete(oldest);
  }

  #failuresOf(network: string): number {
    const { clock, perSecond } = this.#options;
    const known = this.#byNetwork.get(network);
    if (known === undefined) return 0;
    const left = known.failures - ((clock.nowMs() - known.atMs) / 1_000) * perSecond;
    if (left > 0) return left;
    this.#byNetwork.delete(network);
    return 0;
  }
}

/** What one owner of addresses has at least: an IPv4 address, or an IPv6 /64. */
export function networkOf(address: string): string {
  const mapped = MAPPED.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [plain = ''] = address.split('%', 1);
  if (!isIPv6(plain)) return plain;
  const [front = '', back] = plain.split('::', 2);
  const first = front.split(':').filter((group) => group !== '');
  const last = (back ?? '').split(':').filter((group) => group !== '');
  const zeros = back === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const groups = [...first, ...Array<string>(zeros).fill('0'), ...last];
  return `${groups.slice(0, IPV6_NETWORK_GROUPS).join(':')}::/64`;
}
