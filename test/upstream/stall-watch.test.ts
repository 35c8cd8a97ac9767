import { expect } from 'chai';
import { StallWatch } from '../../upstream/stall-watch.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('upstream/stall-watch', () => {
  let clock: ManualClock;
  let movedBytes: number;
  let isWaiting: boolean;
  let stalls: number;
  let watch: StallWatch;

  beforeEach(() => {
    clock = new ManualClock();
    [movedBytes, isWaiting, stalls] = [0, true, 0];
    watch = new StallWatch({
      clock,
      stallMs: 1_000,
      movedBytes: () => movedBytes,
      isWaiting: () => isWaiting,
      onStalled: () => {
        stalls += 1;
      },
    });
  });

  it('calls a stall when nothing moved for the whole time, not before', () => {
    watch.arm();
    clock.advance(999);
    expect(stalls).to.equal(0);
    clock.advance(1);
    expect(stalls).to.equal(1);
  });

  it('takes a trickle for progress', () => {
    watch.arm();
    for (let at = 0; at < 20; at++) {
      movedBytes += 1;
      clock.advance(900);
    }
    expect(stalls).to.equal(0);
    clock.advance(1_250);
    expect(stalls).to.be.greaterThan(0);
  });

  it('stops when nobody is waited for, and starts anew when armed', () => {
    watch.arm();
    clock.advance(750);
    isWaiting = false;
    clock.advance(10_000);
    expect(clock.pending).to.equal(0);
    isWaiting = true;
    watch.arm();
    clock.advance(750);
    expect(stalls).to.equal(0);
  });

  it('leaves no timer when disarmed, and arms once', () => {
    watch.arm();
    watch.arm();
    expect(clock.pending).to.equal(1);
    watch.disarm();
    expect(clock.pending).to.equal(0);
  });
});
