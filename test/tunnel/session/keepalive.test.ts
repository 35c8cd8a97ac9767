import { expect } from 'chai';
import fc from 'fast-check';
import { Keepalive } from '../../../tunnel/session/keepalive.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A clock whose timers fire late when the process was stuck. */
class StuckClock extends ManualClock {
  #lostMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#lostMs;
  }

  /** Time passes, and no timer fires. */
  stick(byMs: number): void {
    this.#lostMs += byMs;
  }
}

function alive<C extends ManualClock>(clock: C, random: () => number = () => 0.5, intervalMs = () => 10_000) {
  const pings: { token: number; atMs: number }[] = [];
  const deaths: number[] = [];
  const keepalive = new Keepalive({
    clock,
    random,
    intervalMs,
    ping: (token) => pings.push({ token, atMs: clock.nowMs() }),
    onSilent: (silentMs) => deaths.push(silentMs),
  });
  return { clock, keepalive, pings, deaths };
}

describe('tunnel/session/keepalive', () => {
  it('pings at once, then every interval, each time with another token', () => {
    const { clock, keepalive, pings } = alive(new ManualClock());
    keepalive.start();
    for (let interval = 0; interval < 3; interval++) {
      clock.advance(10_000);
      keepalive.heard();
    }
    expect(pings.map(({ atMs }) => atMs - 1_000)).to.deep.equal([0, 10_000, 20_000, 30_000]);
    expect(new Set(pings.map(({ token }) => token)).size).to.equal(4);
  });

  it('knows when the peer was last heard, whatever it forgave itself', () => {
    const { clock, keepalive, deaths } = alive(new StuckClock());
    keepalive.start();
    clock.advance(5_000);
    keepalive.heard();
    const heardMs = clock.nowMs();
    clock.stick(60_000);
    clock.advance(10_000);
    expect([keepalive.heardMs, deaths.length]).to.deep.equal([heardMs, 0]);
  });

  it('is silent after three intervals without a byte, not before, and once', () => {
    const { clock, keepalive, deaths } = alive(new ManualClock());
    keepalive.start();
    clock.advance(29_999);
    expect(deaths).to.deep.equal([]);
    clock.advance(60_000);
    expect(deaths).to.deep.equal([30_000]);
    expect(clock.pending).to.equal(0);
  });

  it('property: death comes exactly three intervals after the last byte, whatever the jitter', () => {
    fc.assert(
      fc.property(
        fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        fc.array(fc.integer({ min: 1, max: 29_999 }), { maxLength: 20, size: 'max' }),
        (randoms, gaps) => {
          const { clock, keepalive, deaths } = alive(new ManualClock(), () => randoms.next().value);
          keepalive.start();
          for (const gapMs of gaps) {
            clock.advance(gapMs);
            expect(deaths).to.deep.equal([]);
            keepalive.heard();
          }
          clock.advance(29_999);
          expect(deaths).to.deep.equal([]);
          clock.advance(2);
          expect(deaths).to.have.length(1);
        },
      ),
    );
  }).timeout(20_000);

  it('property: pings are 8 to 12 s apart while the peer is heard', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.infiniteStream(random), (randoms) => {
        const { clock, keepalive, pings } = alive(new ManualClock(), () => randoms.next().value);
        keepalive.start();
        for (let second = 0; second < 100; second++) {
          clock.advance(1_000);
          keepalive.heard();
        }
        for (const [index, { atMs }] of pings.entries()) {
          const before = pings[index - 1];
          if (before !== undefined) expect(atMs - before.atMs).to.be.within(7_999.999, 12_000.001);
        }
      }),
      { numRuns: 50 },
    );
  }).timeout(20_000);

  it('forgives its own lateness once: a stuck process says nothing about the peer', () => {
    const { clock, keepalive, deaths, pings } = alive(new StuckClock());
    keepalive.start();
    clock.stick(60_000);
    clock.advance(10_000);
    expect(deaths).to.deep.equal([]);
    expect(pings, 'asks anew').to.have.length(2);
    clock.stick(60_000);
    clock.advance(10_000);
    expect(deaths, 'but not twice without a byte in between').to.have.length(1);
  });

  it('forgives again after the peer was heard', () => {
    const { clock, keepalive, deaths } = alive(new StuckClock());
    keepalive.start();
    for (let again = 0; again < 3; again++) {
      clock.stick(60_000);
      clock.advance(10_000);
      keepalive.heard();
    }
    expect(deaths).to.deep.equal([]);
  });

  it('measures round trips and keeps the smallest', () => {
    const { clock, keepalive, pings } = alive(new ManualClock());
    expect([keepalive.rttMs, keepalive.minRttMs]).to.deep.equal([undefined, 0]);
    keepalive.start();
    for (const rttMs of [30, 20, 50]) {
      clock.advance(rttMs);
      keepalive.heard();
      keepalive.pong(pings.at(-1)?.token ?? 0);
      expect(keepalive.rttMs).to.equal(rttMs);
      clock.advance(10_000 - rttMs);
    }
    expect(keepalive.minRttMs).to.equal(20);
  });

  it('takes no PONG twice, nor one for another PING', () => {
    const { clock, keepalive, pings } = alive(new ManualClock());
    keepalive.start();
    const token = pings[0]?.token ?? 0;
    keepalive.pong(token + 1);
    expect(keepalive.rttMs).to.equal(undefined);
    clock.advance(5);
    keepalive.pong(token);
    clock.advance(500);
    keepalive.pong(token);
    expect(keepalive.rttMs).to.equal(5);
  });

  it('follows an interval that changes while the session runs', () => {
    let intervalMs = 10_000;
    const { clock, keepalive, pings, deaths } = alive(
      new ManualClock(),
      () => 0.5,
      () => intervalMs,
    );
    keepalive.start();
    keepalive.heard();
    intervalMs = 1_000;
    clock.advance(11_000);
    keepalive.heard();
    intervalMs = 20_000;
    clock.advance(22_000);
    expect(pings.map(({ atMs }) => atMs - 1_000)).to.deep.equal([0, 10_000, 11_000, 12_000, 32_000]);
    expect(deaths, 'a peer that answers is not dead of a new pace').to.deep.equal([]);
  });

  it('leaves no timer when it is stopped by its own PING', () => {
    const clock = new ManualClock();
    const keepalive: Keepalive = new Keepalive({
      clock,
      random: () => 0.5,
      intervalMs: () => 10_000,
      ping: () => keepalive.stop(),
      onSilent: () => {},
    });
    keepalive.start();
    expect(clock.pending).to.equal(0);
  });
});
