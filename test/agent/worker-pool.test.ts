import { expect } from 'chai';
import fc from 'fast-check';
import { type Place, WorkerPool } from '../../agent/worker-pool.ts';

/** A gateway as the pool sees it: what it was told, what it used. */
class Peer {
  slots: number;
  readonly announce = (slots: number) => {
    expect(slots).to.be.greaterThan(0);
    this.slots += slots;
  };

  constructor(pool: WorkerPool) {
    this.slots = 0;
    this.slots = pool.join(this.announce);
  }
}

describe('agent/worker-pool', () => {
  it('announces all workers to its first session', () => {
    const pool = new WorkerPool({ limit: 3, queueLimit: 2 });
    expect(new Peer(pool).slots).to.equal(3);
    expect(pool.granted).to.equal(3);
  });

  it('gives a slot back when the work is gone, once', () => {
    const pool = new WorkerPool({ limit: 1, queueLimit: 2 });
    const peer = new Peer(pool);
    peer.slots -= 1;
    const place = pool.take(peer.announce, () => {});
    expect(pool).to.include({ running: 1, granted: 0 });
    place?.release();
    place?.release();
    expect(peer.slots).to.equal(1);
    expect(pool).to.include({ running: 0, granted: 1 });
  });

  it('refuses a session that uses more than it was told of', () => {
    const pool = new WorkerPool({ limit: 1, queueLimit: 2 });
    const peer = new Peer(pool);
    pool.take(peer.announce, () => {});
    expect(pool.take(peer.announce, () => {})).to.equal(undefined);
    expect(pool).to.include({ running: 1, queued: 0 });
  });

  it('announces what is free now to a session that joins beside another', () => {
    const pool = new WorkerPool({ limit: 4, queueLimit: 2 });
    const old = new Peer(pool);
    old.slots -= 1;
    pool.take(old.announce, () => {});
    pool.leave(old.announce);
    const next = new Peer(pool);
    expect(next.slots).to.equal(3);
  });

  it('serves what a leaving session had opened, within the bounds of the pool', () => {
    const pool = new WorkerPool({ limit: 2, queueLimit: 1 });
    const old = new Peer(pool);
    pool.leave(old.announce);
    const next = new Peer(pool);
    expect(next.slots).to.equal(2);
    expect(pool.take(old.announce, () => {})).to.not.equal(undefined);
    expect(pool.take(next.announce, () => {})).to.not.equal(undefined);
    expect(pool.take(next.announce, () => {})).to.not.equal(undefined);
    expect(pool.take(old.announce, () => {})).to.equal(undefined);
    expect(pool).to.include({ running: 2, queued: 1 });
  });

  it('takes nothing for a session that is gone', () => {
    const pool = new WorkerPool({ limit: 2, queueLimit: 1 });
    const old = new Peer(pool);
    pool.forget(old.announce);
    expect(pool.take(old.announce, () => {})).to.equal(undefined);
  });

  it('tells the newest session when the work of an older one is gone', () => {
    const pool = new WorkerPool({ limit: 2, queueLimit: 2 });
    const old = new Peer(pool);
    const place = pool.take(old.announce, () => {});
    pool.leave(old.announce);
    const next = new Peer(pool);
    place?.release();
    expect(next.slots).to.equal(2);
  });

  it('shrinks by announcing less: nothing ends, a few wait, the rest is refused', () => {
    const pool = new WorkerPool({ limit: 8, queueLimit: 2 });
    const peer = new Peer(pool);
    const started: number[] = [];
    const first = [0, 1, 2, 3].map((id) => pool.take(peer.announce, () => started.push(id)));
    pool.limit = 2;
    expect(pool.running).to.equal(4);
    const waiting = [4, 5].map((id) => pool.take(peer.announce, () => started.push(id)));
    expect(pool.take(peer.announce, () => {})).to.equal(undefined);
    for (const place of first.slice(0, 2)) place?.release();
    expect(started).to.deep.equal([0, 1, 2, 3]);
    for (const place of first.slice(2)) place?.release();
    expect(started).to.deep.equal([0, 1, 2, 3, 4, 5]);
    for (const place of waiting) place?.release();
    expect(pool).to.include({ running: 0, queued: 0, granted: 2 });
  });

  it('grows at once', () => {
    const pool = new WorkerPool({ limit: 1, queueLimit: 2 });
    const peer = new Peer(pool);
    pool.limit = 5;
    expect(peer.slots).to.equal(5);
  });

  it('property: bounds hold under any order of work, refusals, sessions and limits, and no slot is ever lost', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(...ACTS), fc.nat({ max: 12 })), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (script) => {
        const run = new Run();
        for (const [act, pick] of script) {
          run[act](pick);
          run.check();
        }
        run.finish();
      }),
      { numRuns: 500 },
    );
  });
});

const ACTS = ['take', 'take', 'take', 'release', 'release', 'refuse', 'limit', 'reconnect'] as const;
const QUEUE_LIMIT = 3;

/** A pool and a gateway that keeps to what it was told, under any script. */
class Run {
  readonly #pool = new WorkerPool({ limit: 4, queueLimit: QUEUE_LIMIT });
  #peer = new Peer(this.#pool);
  #highestLimit = 4;
  readonly #places: Place[] = [];

  take(): void {
    if (this.#peer.slots === 0) return;
    this.#peer.slots -= 1;
    const place = this.#pool.take(this.#peer.announce, () => {});
    if (place !== undefined) this.#places.push(place);
  }

  release(pick: number): void {
    this.#places.splice(pick % Math.max(1, this.#places.length), 1)[0]?.release();
  }

  refuse(): void {
    if (this.#peer.slots === 0) return;
    this.#peer.slots -= 1;
    this.#pool.refuse(this.#peer.announce);
  }

  limit(pick: number): void {
    this.#pool.limit = 1 + pick;
    this.#highestLimit = Math.max(this.#highestLimit, this.#pool.limit);
  }

  reconnect(): void {
    this.#pool.leave(this.#peer.announce);
    const old = this.#peer;
    this.#peer = new Peer(this.#pool);
    this.#pool.forget(old.announce);
  }

  check(): void {
    expect(this.#pool.granted, 'the gateway knows every granted slot').to.equal(this.#peer.slots);
    expect(this.#pool.queued).to.be.at.most(QUEUE_LIMIT);
    expect(this.#pool.running).to.be.at.most(this.#highestLimit);
    expect(this.#pool.running + this.#pool.queued).to.equal(this.#places.length);
  }

  finish(): void {
    for (const place of this.#places) place.release();
    expect(this.#pool).to.include({ running: 0, queued: 0 });
    while (this.#peer.slots > this.#pool.limit) this.refuse();
    expect(this.#peer.slots, 'all workers are announced again').to.equal(this.#pool.limit);
  }
}
