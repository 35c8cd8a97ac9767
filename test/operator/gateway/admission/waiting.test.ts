import { expect } from 'chai';
import fc from 'fast-check';
import { WaitingRoom } from '../../../../operator/gateway/admission/waiting.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

describe('operator/gateway/admission/waiting', () => {
  let clock: ManualClock;
  let told: string[];
  let room: WaitingRoom;
  let free: number;
  let maxWaiting: number;
  beforeEach(() => {
    clock = new ManualClock();
    told = [];
    room = new WaitingRoom(clock, () => maxWaiting);
    maxWaiting = 3;
    free = 0;
  });
  afterEach(() => expect(clock.pending).to.equal(room.size));

  const enter = (name: string, dueMs = () => Number.POSITIVE_INFINITY) =>
    room.enter({
      // a1 is of user a.
      user: name.slice(0, 1),
      take: () => {
        if (free === 0) return false;
        free -= 1;
        told.push(`${name} taken`);
        return true;
      },
      dueMs,
      expire: () => told.push(`${name} expired`),
      giveWay: () => told.push(`${name} gave way`),
    });

  it('serves in the order of coming, as many as there is room for', () => {
    for (const name of ['a', 'b', 'c']) enter(name);
    free = 2;
    room.wake();
    expect(told).to.deep.equal(['a taken', 'b taken']);
    expect(room.size).to.equal(1);
  });

  it('serves nobody past one that cannot be served', () => {
    enter('a');
    enter('b');
    room.wake();
    expect(told).to.deep.equal([]);
    expect(room.size).to.equal(2);
  });

  it('lets users take turns: one with many requests does not stand before one with one', () => {
    maxWaiting = 9;
    for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) enter(name);
    free = 4;
    room.wake();
    expect(told).to.deep.equal(['a1 taken', 'b1 taken', 'c1 taken', 'a2 taken']);
    free = 9;
    room.wake();
    expect(told.slice(4)).to.deep.equal(['c2 taken', 'a3 taken']);
  });

  it('lets the newest of a longer line give way to who comes to a full room', () => {
    for (const name of ['a1', 'a2', 'a3']) enter(name);
    expect(enter('b1')).to.be.a('function');
    expect(told).to.deep.equal(['a3 gave way']);
    expect(enter('b2'), 'his line would be as long').to.equal(undefined);
    expect(enter('a4')).to.equal(undefined);
    expect(enter('c1')).to.be.a('function');
    expect(enter('d1'), 'nobody has more than one').to.equal(undefined);
    free = 9;
    room.wake();
    expect(told).to.deep.equal(['a3 gave way', 'a2 gave way', 'a1 taken', 'b1 taken', 'c1 taken']);
  });

  it('follows a bound that changes: who waits may stay', () => {
    for (const name of ['a1', 'a2', 'a3']) enter(name);
    maxWaiting = 1;
    expect(enter('a4')).to.equal(undefined);
    expect(told).to.deep.equal([]);
    free = 2;
    room.wake();
    expect(enter('a5')).to.equal(undefined);
    maxWaiting = 2;
    expect(enter('a6')).to.be.a('function');
    maxWaiting = 0;
    expect(enter('b1'), 'nobody may wait').to.equal(undefined);
    expect(room.size).to.equal(2);
  });

  it('is full at its bound', () => {
    for (const name of ['a', 'b', 'c']) expect(enter(name)).to.be.a('function');
    expect(enter('d')).to.equal(undefined);
    free = 1;
    room.wake();
    expect(enter('d')).to.be.a('function');
  });

  it('never serves who left, and leaving twice is nothing', () => {
    const leave = enter('a');
    enter('b');
    leave?.();
    leave?.();
    free = 2;
    room.wake();
    expect(told).to.deep.equal(['b taken']);
  });

  it('gives up each at its own time, in order of time', () => {
    const at = (ms: number) => () => 1_000 + ms;
    enter('late', at(20));
    enter('soon', at(10));
    clock.advance(10);
    expect(told).to.deep.equal(['soon expired']);
    clock.advance(10);
    expect(told).to.deep.equal(['soon expired', 'late expired']);
  });

  it('reads deadlines again when told to, later ones and sooner ones', () => {
    let dueMs = 1_010;
    enter('a', () => dueMs);
    dueMs = 1_030;
    room.rearm();
    clock.advance(20);
    expect(told).to.deep.equal([]);
    dueMs = 1_025;
    room.rearm();
    room.rearm();
    clock.advance(5);
    expect(told).to.deep.equal(['a expired']);
  });

  it('gives up one whose time has passed already', () => {
    enter('a', () => 0);
    clock.advance(0);
    expect(told).to.deep.equal(['a expired']);
  });

  it('lets everybody give up at once', () => {
    enter('a');
    enter('b');
    room.clear();
    expect(told).to.deep.equal(['a expired', 'b expired']);
    expect(room.size).to.equal(0);
  });

  it('property: whoever enters is served or gives up or leaves, once, in order, and no timer stays', () => {
    const step = fc.oneof(
      fc.record({ enterMs: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ leave: fc.nat(20) }),
      fc.record({ free: fc.nat(3) }),
      fc.record({ waitMs: fc.integer({ min: 1, max: 30 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const crowd = new Crowd();
        for (const each of steps) {
          crowd.step(each);
          crowd.room.rearm();
          expect(crowd.room.size).to.be.at.most(5);
          expect(crowd.clock.pending).to.equal(crowd.room.size);
        }
        crowd.room.clear();
        expect(crowd.clock.pending).to.equal(0);
        for (const [id, ends] of crowd.ends) expect(ends, `waiter ${id}`).to.have.length(1);
        expect(crowd.taken).to.deep.equal([...crowd.taken].sort((a, b) => a - b));
      }),
    );
  });
});

type Step = { enterMs: number } | { leave: number } | { free: number } | { waitMs: number };

/** Waiters that note how each of them ended. */
class Crowd {
  readonly clock = new ManualClock();
  readonly room = new WaitingRoom(this.clock, () => 5);
  readonly ends = new Map<number, string[]>();
  readonly leaves: (() => void)[] = [];
  readonly taken: number[] = [];
  #free = 0;

  step(step: Step): void {
    if ('enterMs' in step) this.#enter(step.enterMs);
    else if ('leave' in step) this.leaves[step.leave]?.();
    else if ('free' in step) this.#serve(step.free);
    else this.clock.advance(step.waitMs);
  }

  #enter(afterMs: number): void {
    const id = this.leaves.length;
    const dueMs = this.clock.nowMs() + afterMs;
    const leave = this.room.enter({
      user: 'jane',
      giveWay: () => this.#note(id, 'gave way'),
      take: () => this.#take(id),
      dueMs: () => dueMs,
      expire: () => this.#note(id, 'expired'),
    });
    if (leave === undefined) expect(this.room.size).to.equal(5);
    else this.ends.set(id, []);
    this.leaves.push(() => {
      if (this.ends.get(id)?.length === 0) this.#note(id, 'left');
      leave?.();
    });
  }

  #serve(free: number): void {
    this.#free = free;
    this.room.wake();
  }

  #take(id: number): boolean {
    if (this.#free === 0) return false;
    this.#free -= 1;
    this.taken.push(id);
    this.#note(id, 'taken');
    return true;
  }

  #note(id: number, end: string): void {
    this.ends.get(id)?.push(end);
  }
}
