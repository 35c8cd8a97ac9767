import { expect } from 'chai';
import fc from 'fast-check';
import { Budget } from '../../../tunnel/flow/budget.ts';
import { ReceiveWindow } from '../../../tunnel/flow/receive-window.ts';
import { INITIAL_WINDOW_BYTES } from '../../../tunnel/wire/limits.ts';

const MAX_BYTES = 1024 * 1024;

function admitted(limitBytes = 64 * MAX_BYTES): { budget: Budget; window: ReceiveWindow } {
  const budget = new Budget(limitBytes);
  budget.reserve();
  return { budget, window: new ReceiveWindow(budget, 0) };
}

/** Takes and consumes a window's worth at once, `rounds` times, one round each `everyMs`. */
function rush(window: ReceiveWindow, { rounds, everyMs, minRttMs = 10, maxBytes = MAX_BYTES }: Rush): void {
  let creditBytes = INITIAL_WINDOW_BYTES;
  for (let round = 1; round <= rounds; round++) {
    expect(window.accept(creditBytes)).to.equal(true);
    creditBytes = window.consume(creditBytes, { nowMs: round * everyMs, minRttMs, maxBytes });
  }
}

interface Rush {
  readonly rounds: number;
  readonly everyMs: number;
  readonly minRttMs?: number;
  readonly maxBytes?: number;
}

describe('tunnel/flow/receive-window', () => {
  const idle = { nowMs: 1e9, minRttMs: 0, maxBytes: MAX_BYTES };

  it('refuses bytes beyond the advertised credit and charges nothing for them', () => {
    const { window } = admitted();
    expect(window.accept(INITIAL_WINDOW_BYTES - 1)).to.equal(true);
    expect(window.accept(2)).to.equal(false);
    expect(window.accept(1)).to.equal(true);
    expect(window.bufferedBytes).to.equal(INITIAL_WINDOW_BYTES);
  });

  it('grants nothing before a quarter of the window was consumed, then all of it at once', () => {
    const { window } = admitted();
    window.accept(INITIAL_WINDOW_BYTES);
    expect(window.consume(INITIAL_WINDOW_BYTES / 4 - 1, idle)).to.equal(0);
    expect(window.consume(1, idle)).to.equal(INITIAL_WINDOW_BYTES / 4);
  });

  it('asserts that nothing is consumed that did not arrive', () => {
    const { window } = admitted();
    window.accept(10);
    expect(() => window.consume(11, idle)).to.throw(RangeError, 'consumed 11 bytes of 10');
  });

  it('gives growth back when its reader became slow, and never owes credit for it', () => {
    const { window, budget } = admitted();
    rush(window, { rounds: 10, everyMs: 10 });
    const grownBytes = window.sizeBytes - INITIAL_WINDOW_BYTES;
    expect(budget.usedBytes).to.equal(window.sizeBytes);
    let nowMs = 100;
    for (let round = 0; round < 150; round++) {
      const bytes = Math.min(8 * 1024, window.sizeBytes);
      expect(window.accept(bytes), 'the peer always has credit left').to.equal(true);
      nowMs += 2_000;
      window.consume(bytes, { nowMs, minRttMs: 10, maxBytes: MAX_BYTES });
    }
    expect(grownBytes).to.be.greaterThan(0);
    expect([window.sizeBytes, budget.usedBytes]).to.deep.equal([INITIAL_WINDOW_BYTES, INITIAL_WINDOW_BYTES]);
  });

  it('grows up to the bound while the window is the limit', () => {
    const { window } = admitted();
    rush(window, { rounds: 30, everyMs: 10 });
    expect(window.sizeBytes).to.equal(MAX_BYTES);
  });

  it('grows a little for a burst, and further for a pace that lasts', () => {
    const burst = admitted();
    rush(burst.window, { rounds: 40, everyMs: 1 });
    expect(burst.window.sizeBytes).to.equal(MAX_BYTES / 4);
    const lasting = admitted();
    rush(lasting.window, { rounds: 200, everyMs: 1 });
    expect(lasting.window.sizeBytes).to.equal(MAX_BYTES);
  });

  it('stays small while the consumer is the limit', () => {
    const { window } = admitted();
    rush(window, { rounds: 30, everyMs: 1_000 });
    expect(window.sizeBytes).to.equal(INITIAL_WINDOW_BYTES);
  });

  it('grows no further than the shared pool, and gives it back', () => {
    const { budget, window } = admitted(8 * INITIAL_WINDOW_BYTES);
    rush(window, { rounds: 30, everyMs: 1 });
    expect(window.sizeBytes).to.equal(7 * INITIAL_WINDOW_BYTES);
    window.release();
    window.release();
    expect(budget.usedBytes).to.equal(0);
  });

  it('does not grow when the bound was lowered under it', () => {
    const { window } = admitted();
    rush(window, { rounds: 30, everyMs: 1, maxBytes: 1 });
    expect(window.sizeBytes).to.equal(INITIAL_WINDOW_BYTES);
  });

  it('takes nothing from the pool any more once it is released', () => {
    const { budget, window } = admitted();
    window.accept(INITIAL_WINDOW_BYTES);
    window.release();
    window.consume(INITIAL_WINDOW_BYTES, { nowMs: 0, minRttMs: 10, maxBytes: MAX_BYTES });
    expect(budget.usedBytes).to.equal(0);
  });

  it('property: buffered + credit <= size under any interleaving, it never wedges shut, and the budget is whole after', () => {
    const step = fc.record({
      kind: fc.constantFrom('arrive', 'read'),
      bytes: fc.oneof(fc.nat(64), fc.nat(200_000)),
      passMs: fc.nat(20),
    });
    const facts = fc.record({ minRttMs: fc.nat(50), maxBytes: fc.nat(400_000), limitBytes: fc.nat(1_000_000) });
    fc.assert(
      fc.property(
        facts,
        fc.array(step, { maxLength: 200, size: 'max' }),
        ({ minRttMs, maxBytes, limitBytes }, steps) => {
          const { budget, window } = admitted(INITIAL_WINDOW_BYTES + limitBytes);
          let credit = INITIAL_WINDOW_BYTES;
          let buffered = 0;
          let nowMs = 0;
          for (const { kind, bytes, passMs } of steps) {
            nowMs += passMs;
            if (kind === 'arrive') {
              const sent = Math.min(bytes, credit);
              expect(window.accept(sent)).to.equal(true);
              credit -= sent;
              buffered += sent;
            } else {
              const read = Math.min(bytes, buffered);
              buffered -= read;
              credit += window.consume(read, { nowMs, minRttMs, maxBytes });
            }
            expect(window.bufferedBytes).to.equal(buffered);
            expect(buffered + credit).to.be.at.most(window.sizeBytes);
            expect(window.sizeBytes).to.be.at.most(Math.max(maxBytes, INITIAL_WINDOW_BYTES));
            expect(budget.usedBytes).to.be.at.most(budget.limitBytes);
          }
          credit += window.consume(buffered, { nowMs, minRttMs, maxBytes });
          expect(credit, 'never wedged: more than half of the window is open').to.be.above(window.sizeBytes / 2);
          window.release();
          expect(budget.usedBytes).to.equal(0);
        },
      ),
    );
  }).timeout(20_000);
});
