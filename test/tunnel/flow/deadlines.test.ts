import { expect } from 'chai';
import fc from 'fast-check';
import { Deadlines } from '../../../tunnel/flow/deadlines.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('tunnel/flow/deadlines', () => {
  it('keeps one timer, however many deadlines there are', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const cancels = Array.from({ length: 100 }, (_, index) => deadlines.after(1_000 - index, () => {}));
    expect([clock.pending, deadlines.size]).to.deep.equal([1, 100]);
    for (const cancel of cancels) cancel();
    expect([clock.pending, deadlines.size]).to.deep.equal([0, 0]);
  });

  it('runs what is due together in the order of setting', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const ran: number[] = [];
    for (const number of [1, 2, 3]) deadlines.after(10, () => ran.push(number));
    clock.advance(10);
    expect(ran).to.deep.equal([1, 2, 3]);
  });

  it('goes on after a deadline that throws', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    let hasRun = false;
    deadlines.after(1, () => {
      throw new Error('a bug');
    });
    deadlines.after(1, () => {
      hasRun = true;
    });
    expect(() => clock.advance(1)).to.throw('a bug');
    clock.advance(0);
    expect(hasRun).to.equal(true);
  });

  it('runs nothing after close, and leaves no timer', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const cancel = deadlines.after(1, () => expect.fail('closed'));
    deadlines.close();
    cancel();
    clock.advance(10);
    expect(clock.pending).to.equal(0);
  });

  it('takes nothing more after close', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    deadlines.close();
    deadlines.after(1, () => expect.fail('closed'))();
    deadlines.after(1, () => expect.fail('closed'));
    expect([clock.pending, deadlines.size]).to.deep.equal([0, 0]);
    clock.advance(10);
  });

  it('property: fires what a timer each would fire, in the same order', () => {
    const step = fc.oneof(
      fc.record({ set: fc.integer({ min: 0, max: 50 }) }),
      fc.record({ cancel: fc.nat(30) }),
      fc.record({ advance: fc.integer({ min: 0, max: 30 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const both = new Both();
        for (const each of steps) {
          if ('advance' in each) both.advance(each.advance);
          else if ('cancel' in each) both.cancels[each.cancel]?.();
          else both.set(each.set);
        }
        expect(both.fired).to.deep.equal(both.expected);
        expect(both.pending).to.deep.equal(both.expectedPending);
      }),
    );
  }).timeout(20_000);
});

/** The same deadlines twice: in one heap, and as a timer each. */
class Both {
  readonly fired: number[] = [];
  readonly expected: number[] = [];
  readonly cancels: (() => void)[] = [];
  readonly #clock = new ManualClock();
  readonly #naive = new ManualClock();
  readonly #deadlines = new Deadlines(this.#clock);

  get pending() {
    return { deadlines: this.#deadlines.size, timers: this.#clock.pending };
  }

  get expectedPending() {
    return { deadlines: this.#naive.pending, timers: Math.min(1, this.#naive.pending) };
  }

  set(delayMs: number): void {
    const name = this.cancels.length;
    const cancels = [
      this.#deadlines.after(delayMs, () => this.fired.push(name)),
      this.#naive.after(delayMs, () => this.expected.push(name)),
    ];
    this.cancels.push(() => {
      for (const cancel of cancels) cancel();
    });
  }

  advance(byMs: number): void {
    for (const clock of [this.#clock, this.#naive]) clock.advance(byMs);
  }
}
