import { expect } from 'chai';
import {
  arrived,
  missed,
  type Reach,
  settled,
  settlesInMs,
  UNASKED,
} from '../../../../operator/gateway/fallback/reach.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

/** What a test plays at a target, and how often what is said of it changed. */
class Played {
  readonly clock = new ManualClock();
  changes = 0;
  #reach: Reach = UNASKED;

  request(isAnswered: boolean): void {
    const { nowMs } = this;
    this.#become(isAnswered ? arrived(this.#reach, nowMs) : missed(this.#reach, 'refused', nowMs));
  }

  advance(byMs: number): void {
    this.clock.advance(byMs);
    this.#become(settled(this.#reach, this.nowMs));
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  get trouble(): string | undefined {
    return this.#reach.trouble;
  }

  get settlesInMs(): number | undefined {
    return settlesInMs(this.#reach, this.nowMs);
  }

  #become(next: Reach): void {
    if ((next.trouble === undefined) !== (this.trouble === undefined)) this.changes += 1;
    this.#reach = next;
  }
}

describe('operator/gateway/fallback/reach', () => {
  let target: Played;
  beforeEach(() => {
    target = new Played();
  });
  const answered = () => target.request(true);
  const refused = () => target.request(false);

  it('is in trouble at the first failure while no success is known, or none of the last minute', () => {
    expect(target.trouble).to.equal(undefined);
    refused();
    expect(target.trouble).to.equal('refused');
    target = new Played();
    answered();
    target.advance(60_000);
    refused();
    expect(target.trouble).to.equal('refused');
  });

  it('is in trouble at the third failure in a row after a success', () => {
    answered();
    for (const trouble of [undefined, undefined, 'refused']) {
      refused();
      expect(target.trouble).to.equal(trouble);
    }
  });

  it('is well again when a success came and nothing failed for 10 s after it, whether more came or not', () => {
    for (const pauses of [[10_000], [3_000, 3_000, 4_000]]) {
      target = new Played();
      refused();
      expect(target.settlesInMs).to.equal(undefined);
      target.advance(100_000);
      expect(target.trouble, 'nothing got there').to.equal('refused');
      for (const pauseMs of pauses) {
        answered();
        expect(target.trouble).to.equal('refused');
        target.advance(pauseMs);
      }
      expect([target.trouble, target.settlesInMs]).to.deep.equal([undefined, undefined]);
    }
  });

  it('begins to wait anew with each failure', () => {
    refused();
    answered();
    target.advance(9_000);
    refused();
    answered();
    target.advance(9_000);
    expect([target.trouble, target.settlesInMs]).to.deep.equal(['refused', 1_000]);
  });

  it('says nothing of one dead backend among two, asked in turn', () => {
    for (let at = 0; at < 600; at++) {
      target.request(at % 2 === 0);
      target.advance(1_000);
    }
    expect([target.trouble, target.changes]).to.deep.equal([undefined, 0]);
  });

  for (const [rarely, everyMs] of [
    ['10 times a second', 100],
    ['every second', 1_000],
    ['every 4 s', 4_000],
    ['every 11 s', 11_000],
  ] as const) {
    it(`does not change its mind with each request where one of two fails without order, asked ${rarely}`, () => {
      let random = 1;
      for (let atMs = 0; atMs < 600_000; atMs += everyMs) {
        random = (random * 48_271) % 2_147_483_647;
        target.request(random % 1_000 < 500);
        target.advance(everyMs);
      }
      expect(target.changes).to.be.at.most(25);
    });
  }
});
