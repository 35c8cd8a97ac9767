import { expect } from 'chai';
import fc from 'fast-check';
import { ApiError } from '../../../operator/kube/errors.ts';
import { type KubeObject, RESOURCES } from '../../../operator/kube/objects.ts';
import { Reflector, type ReflectorOptions } from '../../../operator/kube/reflector.ts';
import { Store } from '../../../operator/kube/store.ts';
import type { Query } from '../../../operator/kube/transport.ts';
import { silentLogger } from '../../../process/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

type WatchScript = (query: Query, signal: AbortSignal) => AsyncIterable<unknown>;

const expired = () => new ApiError({ status: 410, reason: 'Expired', message: 'too old resource version' });

/** A world of named counters with a history, served like the API server does. */
class World {
  readonly #log: { type: string; object: KubeObject }[] = [];
  readonly #objects = new Map<string, KubeObject>();
  #version = 0;
  lists: Query[] = [];
  watches: Query[] = [];
  /** What the next watches do instead of serving properly. */
  faults: WatchScript[] = [];
  listFaults: Error[] = [];

  set(name: string, isGone: boolean): void {
    const known = this.#objects.get(name);
    if (isGone && known === undefined) return;
    this.#version++;
    const metadata = { name, resourceVersion: String(this.#version) };
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata };
    const type = isGone ? 'DELETED' : known === undefined ? 'ADDED' : 'MODIFIED';
    if (isGone) this.#objects.delete(name);
    else this.#objects.set(name, object);
    this.#log.push({ type, object });
  }

  versions(): Record<string, string | undefined> {
    return Object.fromEntries([...this.#objects].map(([name, { metadata }]) => [name, metadata.resourceVersion]));
  }

  list<T>(_: unknown, __: unknown, query: Query) {
    this.lists.push(query);
    const fault = this.listFaults.shift();
    if (fault !== undefined) return Promise.reject(fault);
    const items = [...this.#objects.values()] as unknown as T[];
    return Promise.resolve({ metadata: { resourceVersion: String(this.#version) }, items });
  }

  async *watch(_: unknown, __: unknown, query: Query, signal: AbortSignal): AsyncIterable<unknown> {
    this.watches.push(query);
    const fault = this.faults.shift();
    if (fault !== undefined) {
      yield* fault(query, signal);
      return;
    }
    const from = Number(query['resourceVersion']);
    for (const event of this.#log) if (Number(event.object.metadata.resourceVersion) > from) yield event;
    await aborted(signal);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

type Selection = Pick<ReflectorOptions<KubeObject>, 'select' | 'maxObjects' | 'pageSize' | 'fieldSelector'>;

function started(world: World, selection: Selection = {}) {
  const clock = new ManualClock();
  const store = new Store<KubeObject>();
  const stop = new AbortController();
  const options = { client: world, resource: RESOURCES.namespace, clock, log: silentLogger, random: () => 0.5 };
  const reflector = new Reflector<KubeObject>({ ...options, ...selection, store });
  const running = reflector.run(stop.signal);
  return {
    clock,
    store,
    reflector,
    async end() {
      stop.abort(new Error('test over'));
      await running;
    },
    versions: () => Object.fromEntries(store.list().map(({ metadata }) => [metadata.name, metadata.resourceVersion])),
  };
}

describe('operator/kube/reflector', () => {
  it('lists, then watches from there with bookmarks and a random end', async () => {
    const world = new World();
    world.set('a', false);
    const { reflector, versions, end } = started(world);
    await reflector.synced;
    await settle();
    expect(versions()).to.deep.equal({ a: '1' });
    expect(world.lists[0]).to.include({ limit: 500 });
    expect(world.watches[0]).to.include({ resourceVersion: '1', allowWatchBookmarks: true, timeoutSeconds: 450 });
    await end();
  });

  it('resumes an ended watch from the last bookmark, without a new list', async () => {
    const world = new World();
    world.set('a', false);
    world.faults.push(async function* () {
      yield { type: 'BOOKMARK', object: { metadata: { resourceVersion: '40' } } };
    });
    const { clock, end } = started(world);
    await settle();
    clock.advance(1_000);
    await settle();
    expect(world.lists).to.have.length(1);
    expect(world.watches[1]).to.include({ resourceVersion: '40' });
    await end();
  });

  it('lists again when its version is too old, told by status or by event', async () => {
    const world = new World();
    world.faults.push(
      // biome-ignore lint/correctness/useYield: this watch fails before its first event
      async function* () {
        throw expired();
      },
      async function* () {
        yield { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } };
      },
    );
    const { clock, end } = started(world);
    for (let round = 0; round < 3; round++) {
      await settle();
      clock.advance(30_000);
    }
    await settle();
    expect(world.lists).to.have.length(3);
    await end();
  });

  it('keeps trying when the API server is away, ever more slowly', async () => {
    const world = new World();
    world.listFaults = Array.from({ length: 20 }, () => new Error('connection refused'));
    const { clock, reflector, end } = started(world);
    await settle();
    expect(reflector.lastError?.message).to.equal('connection refused');
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000);
      await settle();
    }
    expect(world.lists.length).to.be.within(5, 9);
    expect(reflector.hasSynced).to.equal(false);
    while (!reflector.hasSynced && world.lists.length < 30) {
      clock.advance(30_000);
      await settle();
    }
    expect(reflector.hasSynced).to.equal(true);
    expect(reflector.lastError).to.equal(undefined);
    await end();
  });

  it('breaks off a watch on which nothing comes, not even a bookmark', async () => {
    const world = new World();
    const { clock, end } = started(world);
    await settle();
    clock.advance(149_000);
    await settle();
    expect(world.watches).to.have.length(1);
    clock.advance(1_000);
    await settle();
    clock.advance(1_000);
    await settle();
    expect(world.watches).to.have.length(2);
    await end();
  });

  it('leaves no timer behind', async () => {
    const { clock, end } = started(new World());
    await settle();
    await end();
    expect(clock.pending).to.equal(0);
  });

  it('stores what is selected, and forgets what no longer is', async () => {
    const world = new World();
    const isOdd = ({ metadata }: KubeObject) => Number(metadata.resourceVersion) % 2 === 1;
    world.set('a', false);
    world.set('b', false);
    world.faults.push(async function* (_, signal) {
      yield { type: 'ADDED', object: { metadata: { name: 'c', resourceVersion: '3' } } };
      yield { type: 'MODIFIED', object: { metadata: { name: 'a', resourceVersion: '4' } } };
      yield { type: 'BOOKMARK', object: { metadata: { resourceVersion: '6' } } };
      await aborted(signal);
    });
    const select = (each: KubeObject) => (isOdd(each) ? each : undefined);
    const { versions, end } = started(world, { select, pageSize: 7, fieldSelector: 'type!=x' });
    await settle();
    expect(versions()).to.deep.equal({ c: '3' });
    expect(world.lists[0]).to.include({ limit: 7, fieldSelector: 'type!=x' });
    expect(world.watches[0]).to.include({ fieldSelector: 'type!=x' });
    await end();
  });

  it('holds no more objects than it may, and starts over', async () => {
    const world = new World();
    for (const name of ['a', 'b']) world.set(name, false);
    const { clock, reflector, store, end } = started(world, { maxObjects: 2 });
    await settle();
    expect(store.size).to.equal(2);
    world.faults.push(async function* () {
      yield { type: 'ADDED', object: { metadata: { name: 'c', resourceVersion: '3' } } };
    });
    clock.advance(150_000);
    await settle();
    clock.advance(1_000);
    await settle();
    expect(reflector.lastError?.message).to.equal('more than 2 namespaces');
    world.set('c', false);
    clock.advance(30_000);
    await settle();
    expect(world.lists).to.have.length(2);
    expect(reflector.lastError?.message).to.equal('more than 2 namespaces');
    await end();
  });

  it("property: after any sequence of faults every object's latest state arrives", async () => {
    const fault = fc.constantFrom('none', 'end', 'reset', 'expired', 'error-event', 'list');
    const step = fc.record({ name: fc.constantFrom('a', 'b', 'c'), isGone: fc.boolean(), fault });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const world = new World();
        for (const { fault: kind } of steps) plan(world, kind);
        const { clock, versions, end } = started(world);
        for (const { name, isGone } of steps) {
          world.set(name, isGone);
          await settle();
          clock.advance(40_000);
        }
        for (let round = 0; round < 20; round++) {
          await settle();
          clock.advance(151_000);
        }
        await settle();
        clock.advance(31_000);
        await settle();
        expect(versions()).to.deep.equal(world.versions());
        await end();
      }),
      { numRuns: 40 },
    );
  }).timeout(20_000);
});

function plan(world: World, kind: string): void {
  if (kind === 'list') world.listFaults.push(new Error('list failed'));
  else if (kind !== 'none') {
    world.faults.push(async function* () {
      if (kind === 'reset') throw new Error('socket hang up');
      if (kind === 'expired') throw expired();
      if (kind === 'error-event') yield { type: 'ERROR', object: { kind: 'Status', code: 500, message: 'oops' } };
    });
  }
}
