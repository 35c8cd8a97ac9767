import { expect } from 'chai';
import fc from 'fast-check';
import { Deadlines } from '../../../tunnel/flow/deadlines.ts';
import type { Timer } from '../../../tunnel/flow/timer.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** What a deadline does when it passes, besides passing. */
interface Deed {
  readonly sets: readonly number[];
  readonly cancels: readonly number[];
}

/** Deadlines in the order in which they were set, what each does, and which of them passed. */
class Diary {
  readonly passed: number[] = [];
  readonly #timer: Timer;
  readonly #deeds: readonly Deed[];
  readonly #cancels: (() => void)[] = [];

  constructor(timer: Timer, deeds: readonly Deed[]) {
    this.#timer = timer;
    this.#deeds = deeds;
  }

  /** The first so many do their deeds; what these set does nothing more, so that it ends. */
  set(delayMs: number): void {
    const name = this.#cancels.length;
    const deed = this.#deeds[name];
    this.#cancels.push(() => {});
    this.#cancels[name] = this.#timer.after(delayMs, () => {
      this.passed.push(name);
      for (const each of deed?.cancels ?? []) this.cancel(each);
      for (const each of deed?.sets ?? []) this.set(each);
    });
  }

  cancel(name: number): void {
    this.#cancels[name]?.();
  }
}

/** The same deadlines twice: in one heap, and as a timer each. */
class Twice {
  readonly #clock = new ManualClock();
  readonly #naive = new ManualClock();
  readonly #deadlines = new Deadlines(this.#clock);
  readonly #diaries: readonly [Diary, Diary];

  constructor(deeds: readonly Deed[]) {
    this.#diaries = [new Diary(this.#deadlines, deeds), new Diary(this.#naive, deeds)];
  }

  run({ kind, amount }: Step): void {
    if (kind === 'set') for (const diary of this.#diaries) diary.set(amount);
    if (kind === 'cancel') for (const diary of this.#diaries) diary.cancel(amount);
    if (kind === 'advance') for (const clock of [this.#clock, this.#naive]) clock.advance(amount);
  }

  check(): void {
    const [heap, timers] = this.#diaries;
    expect(heap.passed).to.deep.equal(timers.passed);
    expect(this.#deadlines.size).to.equal(this.#naive.pending);
    expect(this.#clock.pending).to.equal(Math.min(1, this.#naive.pending));
  }

  close(): void {
    this.#deadlines.close();
    expect([this.#deadlines.size, this.#clock.pending]).to.deep.equal([0, 0]);
  }
}

interface Step {
  readonly kind: 'set' | 'cancel' | 'advance';
  readonly amount: number;
}

const deed = fc.record({
  sets: fc.array(fc.nat(20), { maxLength: 3 }),
  cancels: fc.array(fc.nat(30), { maxLength: 3 }),
});
const step = fc.record({
  kind: fc.constantFrom<Step['kind']>('set', 'set', 'set', 'cancel', 'cancel', 'advance'),
  amount: fc.nat(60),
});

const steps = fc.array(step, { maxLength: 80, size: 'max' });

describe('tunnel/flow/deadlines that set and cancel each other', function () {
  this.timeout(20_000);

  it('property: pass as a timer each would, in the same order, and leave one timer at most', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 30 }), steps, (deeds, schedule) => {
        const both = new Twice(deeds);
        for (const each of schedule) {
          both.run(each);
          both.check();
        }
        both.close();
      }),
      { numRuns: 300 },
    );
  });
});
