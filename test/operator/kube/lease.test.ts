import { expect } from 'chai';
import { ApiError } from '../../../operator/kube/errors.ts';
import { LeaderElection } from '../../../operator/kube/lease.ts';
import { pause } from '../../../process/clock.ts';
import { silentLogger } from '../../../process/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

interface Stored {
  metadata: { name: string; resourceVersion: string };
  spec: { holderIdentity: string; leaseDurationSeconds: number; leaseTransitions: number };
}

/** One Lease with optimistic locking, as the API server keeps it. */
class LeaseStore {
  lease: Stored | undefined;
  isDown = false;
  #version = 0;

  async find<T>(): Promise<T | undefined> {
    if (this.isDown) throw new Error('connection refused');
    return structuredClone(this.lease) as T | undefined;
  }

  async create<T>(_: unknown, __: unknown, body: unknown): Promise<T> {
    if (this.lease !== undefined) throw conflict();
    return this.#store(body as Stored) as T;
  }

  async replace<T>(_: unknown, __: unknown, body: unknown): Promise<T> {
    if (this.isDown) throw new Error('connection refused');
    const next = body as Stored;
    if (next.metadata.resourceVersion !== this.lease?.metadata.resourceVersion) throw conflict();
    return this.#store(next) as T;
  }

  #store(next: Stored): Stored {
    this.#version++;
    this.lease = { ...next, metadata: { ...next.metadata, resourceVersion: String(this.#version) } };
    return this.lease;
  }
}

const conflict = () => new ApiError({ status: 409, reason: 'Conflict', message: 'changed' });

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

function competitor(client: LeaseStore, clock: ManualClock, identity: string) {
  const stop = new AbortController();
  const election = new LeaderElection({ client, clock, log: silentLogger, namespace: 'ns', name: 'lease', identity });
  const running = election.run(stop.signal, (signal) => pause(clock, 1e9, signal));
  return {
    isLeader: () => election.isLeader,
    async stop() {
      stop.abort(new Error('stop'));
      await running;
    },
  };
}

async function advance(clock: ManualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000);
    await settle();
  }
}

describe('operator/kube/lease', () => {
  it('lets one of two lead, for as long as it renews', async () => {
    const [store, clock] = [new LeaseStore(), new ManualClock()];
    const a = competitor(store, clock, 'a');
    await settle();
    const b = competitor(store, clock, 'b');
    await advance(clock, 120);
    expect([a.isLeader(), b.isLeader()]).to.deep.equal([true, false]);
    await a.stop();
    await b.stop();
  });

  it('hands over at once when the leader stops', async () => {
    const [store, clock] = [new LeaseStore(), new ManualClock()];
    const a = competitor(store, clock, 'a');
    await settle();
    const b = competitor(store, clock, 'b');
    await a.stop();
    expect(store.lease?.spec.holderIdentity).to.equal('');
    await advance(clock, 3);
    expect(b.isLeader()).to.equal(true);
    expect(store.lease?.spec.leaseTransitions).to.be.at.least(1);
    await b.stop();
  });

  it('takes over from a dead leader after it saw no renewal for the lease duration', async () => {
    const [store, clock] = [new LeaseStore(), new ManualClock()];
    await store.create(
      {},
      {},
      { metadata: { name: 'lease' }, spec: { holderIdentity: 'dead', leaseDurationSeconds: 15 } },
    );
    const b = competitor(store, clock, 'b');
    await advance(clock, 14);
    expect(b.isLeader()).to.equal(false);
    await advance(clock, 5);
    expect(b.isLeader()).to.equal(true);
    await b.stop();
  });

  it('stops leading before anybody else may start when it cannot renew', async () => {
    const [store, clock] = [new LeaseStore(), new ManualClock()];
    const a = competitor(store, clock, 'a');
    await settle();
    expect(a.isLeader()).to.equal(true);
    store.isDown = true;
    await advance(clock, 13);
    expect(a.isLeader()).to.equal(false);
    await a.stop();
  });
});
