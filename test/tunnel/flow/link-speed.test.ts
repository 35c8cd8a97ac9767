import { expect } from 'chai';
import { LinkSpeed } from '../../../tunnel/flow/link-speed.ts';

const KIBIBYTE = 1024;
const MINUTE = 60_000;
/** A second of 64 KiB each millisecond. */
const FAST_BYTES = 64_000 * KIBIBYTE;

interface Answer {
  readonly fromMs?: number;
  readonly bytes: number;
  /** Time from one credit of 64 KiB to the next. */
  readonly eachMs: number;
}

/** One answer that always waits for credit. Returns when it had it all. */
function carry(speed: LinkSpeed, { fromMs = 0, bytes, eachMs }: Answer): number {
  let nowMs = fromMs;
  for (let left = bytes; left > 0; left -= 64 * KIBIBYTE) {
    speed.credited(64 * KIBIBYTE, nowMs, nowMs + eachMs);
    nowMs += eachMs;
  }
  return nowMs;
}

describe('tunnel/flow/link-speed', () => {
  it('is not known before half a megabyte', () => {
    const speed = new LinkSpeed();
    expect(speed.bytesPerSecond(0)).to.equal(undefined);
    const nowMs = carry(speed, { bytes: 448 * KIBIBYTE, eachMs: 100 });
    expect(speed.bytesPerSecond(nowMs)).to.equal(undefined);
    expect(speed.bytesPerSecond(carry(speed, { fromMs: nowMs, bytes: 64 * KIBIBYTE, eachMs: 100 }))).to.be.a('number');
  });

  it('is what came through over the time that was waited for it', () => {
    const speed = new LinkSpeed();
    expect(speed.bytesPerSecond(carry(speed, { bytes: 1_024 * KIBIBYTE, eachMs: 64 }))).to.equal(1_024 * 1_000);
  });

  it('does not count the time in which nobody waited', () => {
    const speed = new LinkSpeed();
    const nowMs = carry(speed, { bytes: 256 * KIBIBYTE, eachMs: 64 });
    const laterMs = carry(speed, { fromMs: nowMs + MINUTE, bytes: 256 * KIBIBYTE, eachMs: 64 });
    expect(speed.bytesPerSecond(laterMs)).to.equal(1_024 * 1_000);
  });

  it('is of all answers together, and counts the time in which several wait once', () => {
    const speed = new LinkSpeed();
    for (let nowMs = 0; nowMs < 1_280; nowMs += 128) {
      for (let stream = 0; stream < 4; stream++) speed.credited(64 * KIBIBYTE, nowMs, nowMs + 128);
    }
    expect(speed.bytesPerSecond(1_280)).to.equal((4 * 64 * KIBIBYTE * 1_000) / 128);
  });

  it('is the best of what it did lately: one slow reader says nothing of the link', () => {
    const speed = new LinkSpeed();
    const nowMs = carry(speed, { bytes: FAST_BYTES, eachMs: 1 });
    const laterMs = carry(speed, { fromMs: nowMs, bytes: 1_024 * KIBIBYTE, eachMs: 1_000 });
    expect(speed.bytesPerSecond(laterMs)).to.equal(64 * KIBIBYTE * 1_000);
  });

  it('follows a link that became slow, some minutes behind', () => {
    const speed = new LinkSpeed();
    let nowMs = carry(speed, { bytes: FAST_BYTES, eachMs: 1 });
    const fast = speed.bytesPerSecond(nowMs) ?? 0;
    for (const endMs = nowMs + 5 * MINUTE; nowMs < endMs; ) {
      nowMs = carry(speed, { fromMs: nowMs, bytes: 512 * KIBIBYTE, eachMs: 1_000 });
    }
    expect(speed.bytesPerSecond(nowMs)).to.equal(64 * KIBIBYTE);
    expect(fast).to.equal(64 * KIBIBYTE * 1_000);
  });

  it('follows a link that became fast at once', () => {
    const speed = new LinkSpeed();
    const nowMs = carry(speed, { bytes: 1_024 * KIBIBYTE, eachMs: 1_000 });
    const laterMs = carry(speed, { fromMs: nowMs, bytes: FAST_BYTES, eachMs: 1 });
    expect(speed.bytesPerSecond(laterMs)).to.equal(64 * KIBIBYTE * 1_000);
  });

  it('says nothing of what came in an instant', () => {
    const speed = new LinkSpeed();
    expect(speed.bytesPerSecond(carry(speed, { bytes: 64 * 1_024 * KIBIBYTE, eachMs: 0 }))).to.equal(undefined);
  });

  it('an event loop that was late and hears all at once does not make a link fast', () => {
    const speed = new LinkSpeed();
    let nowMs = 0;
    for (let round = 0; round < 40; round++) {
      // 640 ms of 64 KiB each 64 ms, heard in one turn.
      for (let credit = 0; credit < 10; credit++)
        speed.credited(64 * KIBIBYTE, credit === 0 ? nowMs : nowMs + 640, nowMs + 640);
      nowMs += 640;
    }
    expect(speed.bytesPerSecond(nowMs)).to.be.within(500_000, 2_000_000);
  });

  it('is forgotten ten minutes after its last sample, and what was best before with it', () => {
    const speed = new LinkSpeed();
    const nowMs = carry(speed, { bytes: FAST_BYTES, eachMs: 1 });
    expect(speed.bytesPerSecond(nowMs + 9 * MINUTE)).to.be.a('number');
    expect(speed.bytesPerSecond(nowMs + 11 * MINUTE)).to.equal(undefined);
    const laterMs = carry(speed, { fromMs: nowMs + 60 * MINUTE, bytes: 512 * KIBIBYTE, eachMs: 64 });
    expect(speed.bytesPerSecond(laterMs)).to.equal(1_024 * 1_000);
  });
});
