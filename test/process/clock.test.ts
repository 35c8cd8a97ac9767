import { expect } from 'chai';
import { pause, systemClock } from '../../process/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** An AbortSignal that counts who listens. */
class CountedSignal extends EventTarget {
  aborted = false;
  reason: unknown;
  listeners = 0;

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    this.listeners += 1;
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget['removeEventListener']>): void {
    this.listeners -= 1;
    super.removeEventListener(...args);
  }
}

describe('process/clock', () => {
  it('pauses until the time has come, and keeps neither timer nor listener', async () => {
    const clock = new ManualClock();
    const signal = new CountedSignal();
    let isOver = false;
    const pausing = pause(clock, 100, signal as unknown as AbortSignal).then(() => {
      isOver = true;
    });
    clock.advance(99);
    await Promise.resolve();
    expect([isOver, clock.pending, signal.listeners]).to.deep.equal([false, 1, 1]);
    clock.advance(1);
    await pausing;
    expect([isOver, clock.pending, signal.listeners]).to.deep.equal([true, 0, 0]);
  });

  it('ends a pause with the reason of the signal, and keeps no timer', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const pausing = pause(clock, 100, controller.signal).catch((error: unknown) => error);
    controller.abort('enough');
    expect(await pausing).to.equal('enough');
    expect(clock.pending).to.equal(0);
  });

  it('does not begin to pause when the signal is aborted already', async () => {
    const clock = new ManualClock();
    expect(await pause(clock, 100, AbortSignal.abort('enough')).catch((error: unknown) => error)).to.equal('enough');
    expect(clock.pending).to.equal(0);
  });

  it('calls once after a delay, unless cancelled, and waits for delays that Node refuses', async () => {
    const calls: string[] = [];
    await new Promise<void>((resolve) => {
      const keepAlive = setInterval(() => {}, 1_000);
      systemClock.after(2 ** 40, () => calls.push('far'))();
      systemClock.after(0, () => calls.push('cancelled'))();
      systemClock.after(2 ** 40, () => calls.push('too early'));
      systemClock.after(1, () => {
        calls.push('once');
        clearInterval(keepAlive);
        resolve();
      });
    });
    expect(calls).to.deep.equal(['once']);
  });

  it('tells wall-clock time for people, and time that only grows for measuring', () => {
    expect(systemClock.date()).to.be.instanceOf(Date);
    const before = systemClock.nowMs();
    expect(systemClock.nowMs()).to.be.at.least(before);
  });
});
