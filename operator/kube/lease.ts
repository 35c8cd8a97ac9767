import { type Clock, pause } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { KubeClient } from './client.ts';
import { isConflict } from './errors.ts';
import { type KubeObject, RESOURCES } from './objects.ts';

/** Source: client-go leaderelection defaults. lease > renew deadline > retry. */
const LEASE_SECONDS = 15;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

export interface LeaderElectionOptions {
  readonly client: Pick<KubeClient, 'find' | 'create' | 'replace'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly namespace: string;
  readonly name: string;
  /** Unique per process: two processes with one identity would both lead. */
  readonly identity: string;
  readonly onChange?: (isLeader: boolean) => void;
}

/**
 * One leader among the processes that compete for a Lease.
 *
 * Another's lease has expired when *we* have not seen it change for its duration on our monotonic clock: remote wall
 * clocks are never compared. A leader that could not renew for 10 s stops leading, 5 s before anybody else may start.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  /** The record as last seen, and when we first saw it so. */
  #seen: { readonly version: string; readonly atMs: number } | undefined;
  #isLeader = false;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  /**
   * Competes until the signal aborts, and calls `lead` each time this process becomes the leader.
   * `lead` must end soon after its signal aborts; the lease is released when it has.
   */
  async run(signal: AbortSignal, lead: (signal: AbortSignal) => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      if (await this.#tryAcquire(signal)) await this.#term(signal, lead);
      // Rejects only when stopped; the loop's condition sees that.
      else await pause(this.#options.clock, RETRY_MS, signal).catch(() => {});
    }
  }

  async #term(signal: AbortSignal, lead: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { log } = this.#options;
    const lost = new AbortController();
    const term = AbortSignal.any([signal, lost.signal]);
    this.#setLeader(true);
    const work = lead(term).catch((error: unknown) => {
      if (!term.aborted) log.error('leader work failed', { error });
    });
    await this.#keepRenewing(term);
    lost.abort(new Error('the leader lease was lost'));
    await work;
    this.#setLeader(false);
    await this.#release();
  }

  /** Returns when the signal aborts or the lease could not be renewed in time. */
  async #keepRenewing(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let renewedMs = clock.nowMs();
    while (!signal.aborted && clock.nowMs() - renewedMs < RENEW_DEADLINE_MS) {
      await pause(clock, RETRY_MS, signal).catch(() => {});
      if (signal.aborted) return;
      const startedMs = clock.nowMs();
      const late = new AbortController();
      const cancel = clock.after(renewedMs + RENEW_DEADLINE_MS - startedMs, () =>
        late.abort(new Error('renewal is late')),
      );
      if (await this.#tryAcquire(AbortSignal.any([signal, late.signal]))) renewedMs = startedMs;
      cancel();
    }
  }

  /** Takes or renews the lease; false when another holds it or the API server did not agree. */
  async #tryAcquire(signal: AbortSignal): Promise<boolean> {
    const { client, log, namespace, name, identity } = this.#options;
    try {
      const lease = await client.find<Lease>(RESOURCES.lease, { namespace, name }, signal);
      if (lease === undefined) {
        await client.create(RESOURCES.lease, { namespace }, this.#record(undefined), signal);
        return true;
      }
      if (lease.spec?.holderIdentity !== identity && !this.#hasExpired(lease)) return false;
      await client.replace(RESOURCES.lease, { namespace, name }, this.#record(lease), signal);
      return true;
    } catch (error) {
      if (!signal.aborted && !isConflict(error)) log.warn('leader lease not renewed', { error });
      return false;
    }
  }

  #hasExpired(lease: Lease): boolean {
    const { clock } = this.#options;
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder === '') return true;
    const version = lease.metadata.resourceVersion ?? '';
    if (this.#seen?.version !== version) {
      this.#seen = { version, atMs: clock.nowMs() };
      return false;
    }
    return clock.nowMs() - this.#seen.atMs > (lease.spec?.leaseDurationSeconds ?? LEASE_SECONDS) * 1_000;
  }

  #record(held: Lease | undefined): Lease {
    const { clock, namespace, name, identity } = this.#options;
    const now = clock.date().toISOString().replace('Z', '000Z');
    const isOurs = held?.spec?.holderIdentity === identity;
    const { apiVersion, kind } = RESOURCES.lease;
    return {
      apiVersion,
      kind,
      metadata: held?.metadata ?? { namespace, name },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: LEASE_SECONDS,
        acquireTime: (isOurs ? held?.spec?.acquireTime : undefined) ?? now,
        renewTime: now,
        leaseTransitions: (held?.spec?.leaseTransitions ?? 0) + (isOurs || held === undefined ? 0 : 1),
      },
    };
  }

  /** Lets the next process lead at once. A failure costs it the lease duration, nothing else. */
  async #release(): Promise<void> {
    const { client, log, namespace, name, identity } = this.#options;
    const signal = AbortSignal.timeout(RETRY_MS);
    try {
      const lease = await client.find<Lease>(RESOURCES.lease, { namespace, name }, signal);
      if (lease?.spec?.holderIdentity !== identity) return;
      const spec = { ...this.#record(lease).spec, holderIdentity: '', leaseDurationSeconds: 1 };
      await client.replace(RESOURCES.lease, { namespace, name }, { ...lease, spec }, signal);
    } catch (error) {
      log.warn('leader lease not released', { error });
    }
  }

  #setLeader(isLeader: boolean): void {
    this.#isLeader = isLeader;
    this.#options.log.info(isLeader ? 'leadership acquired' : 'leadership ended', { lease: this.#options.name });
    this.#options.onChange?.(isLeader);
  }
}
