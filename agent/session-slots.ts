import type { Slots } from '../tunnel/wire/documents.ts';
import type { Place, WorkerPool } from './worker-pool.ts';

export type PoolName = keyof Slots;

/** Ordinary requests, and those that may last for hours (watch, log -f, proxy), apart: neither starves the other. */
export type WorkerPools = Readonly<Record<PoolName, WorkerPool>>;

/** What one session was told of both pools. */
export class SessionSlots {
  readonly #pools: WorkerPools;
  readonly #announce: Readonly<Record<PoolName, (slots: number) => void>>;

  constructor(pools: WorkerPools, announce: (slots: Slots) => void) {
    this.#pools = pools;
    this.#announce = {
      ordinary: (slots) => announce({ ordinary: slots, longRunning: 0 }),
      longRunning: (slots) => announce({ ordinary: 0, longRunning: slots }),
    };
  }

  /** For HELLO. */
  join(): Slots {
    const { ordinary, longRunning } = this.#pools;
    return {
      ordinary: ordinary.join(this.#announce.ordinary),
      longRunning: longRunning.join(this.#announce.longRunning),
    };
  }

  /** The gateway leaves: no new requests, except those under way. */
  leave(): void {
    this.#pools.ordinary.leave(this.#announce.ordinary);
    this.#pools.longRunning.leave(this.#announce.longRunning);
  }

  /** The session ended. */
  forget(): void {
    this.#pools.ordinary.forget(this.#announce.ordinary);
    this.#pools.longRunning.forget(this.#announce.longRunning);
  }

  /** As WorkerPool.take. */
  take(pool: PoolName, start: () => void): Place | undefined {
    return this.#pools[pool].take(this.#announce[pool], start);
  }

  /** As WorkerPool.refuse. */
  refuse(pool: PoolName): void {
    this.#pools[pool].refuse(this.#announce[pool]);
  }
}
