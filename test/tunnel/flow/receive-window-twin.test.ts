import { expect } from 'chai';
import fc from 'fast-check';
import { Budget } from '../../../tunnel/flow/budget.ts';
import { ReceiveWindow } from '../../../tunnel/flow/receive-window.ts';
import { NaiveBudget, type NaiveFacts, type NaiveWindow } from '../../support/naive-window.ts';

const KIBIBYTE = 1024;

/** The same window twice. */
interface Both {
  readonly window: ReceiveWindow;
  readonly naive: NaiveWindow;
}

/** The same windows on the same budget twice, under one clock. */
class Twins {
  readonly budget: Budget;
  readonly naive: NaiveBudget;
  readonly all: Both[] = [];
  nowMs = 0;
  minRttMs = 0;
  maxBytes = 4_096 * KIBIBYTE;
  growths = 0;
  shrinks = 0;
  largestBytes = 0;

  constructor(limitBytes: number) {
    this.budget = new Budget(limitBytes);
    this.naive = new NaiveBudget(limitBytes);
  }

  open(): void {
    const naive = this.naive.open(this.nowMs);
    expect(this.budget.reserve(), 'a reserve').to.equal(naive !== undefined);
    if (naive !== undefined) this.all.push({ window: new ReceiveWindow(this.budget, this.nowMs), naive });
  }

  arrive({ window, naive }: Both, bytes: number): void {
    const sent = Math.min(bytes, naive.creditBytes);
    expect(window.accept(naive.creditBytes + 1), 'beyond the credit').to.equal(false);
    expect(window.accept(sent), 'within the credit').to.equal(true);
    naive.accept(sent);
  }

  read({ window, naive }: Both, bytes: number): void {
    const taken = Math.min(bytes, naive.bufferedBytes);
    const facts: NaiveFacts = { nowMs: this.nowMs, minRttMs: this.minRttMs, maxBytes: this.maxBytes };
    const before = window.sizeBytes;
    expect(window.consume(taken, facts), 'credit').to.equal(naive.take(taken, facts));
    this.largestBytes = Math.max(this.largestBytes, window.sizeBytes);
    if (window.sizeBytes > before) this.growths += 1;
    if (window.sizeBytes < before) this.shrinks += 1;
  }

  release({ window, naive }: Both): void {
    naive.isReleased = true;
    window.release();
  }

  check(): void {
    for (const { window, naive } of this.all) {
      expect([window.sizeBytes, window.bufferedBytes]).to.deep.equal([naive.sizeBytes, naive.bufferedBytes]);
    }
    expect(this.budget.usedBytes).to.equal(this.naive.usedBytes);
  }
}

type Kind = 'open' | 'flow' | 'arrive' | 'read' | 'pass' | 'limit' | 'max' | 'rtt' | 'release';
interface Step {
  readonly kind: Kind;
  readonly who: number;
  readonly amount: number;
}

const kind = fc.constantFrom<Kind>(
  ...(['flow', 'flow', 'flow', 'flow', 'arrive', 'arrive', 'read', 'read', 'pass', 'pass'] as const),
  ...(['open', 'limit', 'max', 'rtt', 'release'] as const),
);
const amount = fc.oneof(fc.nat(100), fc.nat(3_000), fc.nat(400 * KIBIBYTE));
const step: fc.Arbitrary<Step> = fc.record({ kind, who: fc.nat(9), amount });

function run(twins: Twins, { kind, who, amount }: Step): void {
  const both = twins.all[who % Math.max(1, twins.all.length)];
  const actions: Record<Kind, (both: Both) => void> = {
    open: () => {},
    // A reader that keeps up: what may come comes, and is taken, again and again.
    flow: (each) => {
      for (let rounds = who % 4; rounds >= 0; rounds--) {
        twins.arrive(each, Number.MAX_SAFE_INTEGER);
        twins.read(each, Number.MAX_SAFE_INTEGER);
      }
    },
    arrive: (each) => twins.arrive(each, amount),
    read: (each) => twins.read(each, amount),
    pass: () => {
      twins.nowMs += amount < 3_000 ? amount % 100 : amount % 2_000;
    },
    limit: () => {
      twins.budget.limitBytes = amount * 4;
      twins.naive.limitBytes = amount * 4;
    },
    max: () => {
      twins.maxBytes = amount * 4;
    },
    rtt: () => {
      twins.minRttMs = amount % 200;
    },
    release: (each) => twins.release(each),
  };
  if (kind === 'open') twins.open();
  else if (both !== undefined) actions[kind](both);
}

const at = (kind: Kind, amount = 0): Step => ({ kind, who: 0, amount });
/** A window that certainly grows as far as it may, and then gives growth back. */
const FAST_THEN_SLOW: readonly Step[] = [
  at('rtt', 150),
  ...Array.from({ length: 10 }, () => [at('flow'), at('pass', 60)]).flat(),
  ...Array.from({ length: 20 }, () => [at('pass', 3_999), at('pass', 3_999), at('flow')]).flat(),
];

describe('tunnel/flow/receive-window and its naive twin', function () {
  this.timeout(20_000);

  it('property: give the same credit, grow and shrink alike and hold the same budget, whatever the limits become', () => {
    let growths = 0;
    let shrinks = 0;
    let largestBytes = 0;
    fc.assert(
      fc.property(fc.nat(8_000 * KIBIBYTE), fc.array(step, { maxLength: 120, size: 'max' }), (limitBytes, steps) => {
        const twins = new Twins(limitBytes);
        for (let windows = 0; windows < 3; windows++) twins.open();
        for (const each of steps) {
          run(twins, each);
          twins.check();
        }
        for (const each of twins.all) twins.release(each);
        expect(twins.budget.usedBytes).to.equal(0);
        largestBytes = Math.max(largestBytes, twins.largestBytes);
        growths += twins.growths;
        shrinks += twins.shrinks;
      }),
      { numRuns: 200, examples: [[8_000 * KIBIBYTE, [...FAST_THEN_SLOW]]] },
    );
    expect(growths, 'windows that grew').to.be.above(30);
    expect(shrinks, 'windows that shrank').to.be.above(5);
    expect(largestBytes, 'a window beyond which growth must last').to.be.above(512 * KIBIBYTE);
  });
});
