import { expect } from 'chai';
import fc from 'fast-check';
import { Lanes } from '../../../tunnel/flow/lanes.ts';
import { awake, bulk, Source, serve } from './lane-sources.ts';

const QUANTUM = 16 * 1024;
const LARGEST_DATA = 64 * 1024;

describe('tunnel/flow/lanes', () => {
  it('says nothing when nobody is ready', () => {
    const lanes = awake([new Source(1, 0)]);
    expect(lanes.isEmpty).to.equal(true);
    expect(lanes.next(0)).to.equal(undefined);
  });

  it('gives a lone stream large frames', () => {
    expect(serve(awake([new Source(1, 200_000)])).map(([, bytes]) => bytes)).to.deep.equal([
      LARGEST_DATA,
      LARGEST_DATA,
      LARGEST_DATA,
      200_000 - 3 * LARGEST_DATA,
    ]);
  });

  it('gives each of two streams a quantum in turn', () => {
    const served = serve(awake([new Source(1, 3 * QUANTUM), new Source(2, 3 * QUANTUM)]));
    expect(served.slice(0, 4)).to.deep.equal([
      [1, QUANTUM],
      [2, QUANTUM],
      [1, QUANTUM],
      [2, QUANTUM],
    ]);
  });

  it('sends a stream that was alone no crumbs when another comes', () => {
    const first = new Source(1, 1_000_000);
    const lanes = awake([first]);
    serve(lanes, () => first.sent >= LARGEST_DATA);
    const second = new Source(2, 1_000_000);
    lanes.wake(second, 0);
    const sizes = serve(lanes, () => second.sent >= 8 * QUANTUM).map(([, bytes]) => bytes);
    expect(Math.min(...sizes)).to.equal(QUANTUM);
  });

  it('makes a stream pay in later rounds for a frame beyond its quantum', () => {
    const big = bulk(1, 1_000_000);
    big.headBytes = 5 * QUANTUM;
    const small = bulk(2, 1_000_000);
    const lanes = awake([big, small]);
    serve(lanes, () => small.sent >= 4 * QUANTUM);
    expect(big.sent, 'body bytes of the stream with the large head').to.equal(0);
  });

  it('moves a stream to the bulk lane after 64 KiB, and serves new streams before it', () => {
    const old = new Source(1, 1_000_000);
    const lanes = awake([old]);
    serve(lanes, () => old.sent > LARGEST_DATA);
    lanes.wake(new Source(2, 100), 0);
    expect(serve(lanes, () => lanes.isEmpty).findIndex(([id]) => id === 2)).to.equal(0);
  });

  it('takes a stream for new again after a second of silence', () => {
    const quiet = bulk(1, 10);
    const busy = new Source(2, 1_000_000);
    const lanes = awake([busy], 5_000);
    lanes.wake(quiet, 5_000);
    serve(lanes, () => quiet.sent === 10, 5_000);
    expect(busy.sent).to.be.at.most(QUANTUM);
  });

  it('serves interactive 8:1 beside bulk, by bytes', () => {
    // A hundred small streams, so that none of them becomes bulk itself.
    const small = Array.from({ length: 100 }, (_, index) => new Source(index + 1, 60 * 1024));
    const large = bulk(1_000, 10_000_000);
    const lanes = awake([...small, large]);
    serve(lanes, () => large.sent >= 20 * QUANTUM);
    const interactive = small.reduce((sum, { sent }) => sum + sent, 0);
    expect(interactive / large.sent).to.be.within(7, 9);
  });

  it('lets bulk have everything while no interactive stream waits', () => {
    const large = [bulk(1, 100_000), bulk(2, 100_000)];
    serve(awake(large));
    expect(large.map(({ sent }) => sent)).to.deep.equal([100_000, 100_000]);
  });

  it('passes over a stream whose credit ran out, and serves it when woken', () => {
    const stalled = new Source(1, 100_000, 10);
    const other = new Source(2, 100_000);
    const lanes = awake([stalled, other]);
    serve(lanes);
    expect([stalled.sent, other.sent]).to.deep.equal([10, 100_000]);
    stalled.credit = 50;
    lanes.wake(stalled, 0);
    serve(lanes);
    expect(stalled.sent).to.equal(60);
  });

  it('passes over a stream that was emptied while it stood in the lane', () => {
    const emptied = new Source(1, 100);
    const lanes = awake([emptied, new Source(2, 100)]);
    emptied.queued = 0;
    expect(serve(lanes)).to.deep.equal([[2, 100]]);
    emptied.queued = 5;
    lanes.wake(emptied, 0);
    expect(serve(lanes)).to.deep.equal([[1, 5]]);
  });

  it('forgets a removed stream, whichever lane it stood in', () => {
    const removed = [new Source(1, 100), bulk(2, 100)];
    const kept = new Source(3, 100);
    const lanes = awake([...removed, kept]);
    for (const source of removed) lanes.remove(source);
    lanes.remove(new Source(9, 1));
    expect(serve(lanes)).to.deep.equal([[3, 100]]);
  });

  it('keeps one place for a stream that is woken again and again', () => {
    const lanes = new Lanes<Source>();
    const source = new Source(1, 10);
    for (let again = 0; again < 3; again++) lanes.wake(source, 0);
    expect(serve(lanes)).to.deep.equal([[1, 10]]);
    expect(lanes.isEmpty).to.equal(true);
  });

  it('property: two equal streams that stay ready differ by at most a quantum and one frame', () => {
    fc.assert(
      fc.property(fc.nat(400_000), fc.integer({ min: 1, max: 500_000 }), (alone, until) => {
        const first = new Source(1, Number.MAX_SAFE_INTEGER);
        const second = new Source(2, Number.MAX_SAFE_INTEGER);
        const lanes = awake([first]);
        serve(lanes, () => first.sent >= alone);
        // Both in the lane where the first is now: equal from here on.
        second.place.recentBytes = first.place.recentBytes;
        lanes.wake(second, 0);
        const lead = first.sent;
        serve(lanes, () => {
          expect(Math.abs(first.sent - lead - second.sent)).to.be.at.most(QUANTUM + LARGEST_DATA);
          return second.sent >= until;
        });
      }),
      { numRuns: 200 },
    );
  }).timeout(20_000);

  it('property: everything that is ready is served, once, whatever wakes, removals, heads and credit do', () => {
    const step = fc.record({
      kind: fc.constantFrom('queue', 'credit', 'head', 'serve', 'remove', 'pass'),
      who: fc.nat(4),
      amount: fc.integer({ min: 1, max: 100_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
        const sources = [1, 2, 3, 4, 5].map((id) => new Source(id, 0, 0));
        const lanes = new Lanes<Source>();
        let nowMs = 0;
        const woken = (source: Source, change: Partial<Source>) => lanes.wake(Object.assign(source, change), nowMs);
        const run: Record<string, (source: Source, amount: number) => unknown> = {
          queue: (source, amount) => woken(source, { queued: source.queued + amount }),
          credit: (source, amount) => woken(source, { credit: source.credit + amount }),
          head: (source, headBytes) => woken(source, { headBytes }),
          serve: () => lanes.next(nowMs),
          remove: (source) => lanes.remove(source),
          pass: (_, amount) => {
            nowMs += amount / 100;
          },
        };
        for (const { kind, who, amount } of steps) run[kind]?.(sources[who] ?? new Source(9, 0), amount);
        for (const source of sources) lanes.wake(source, nowMs);
        serve(lanes, () => false, nowMs);
        expect(lanes.isEmpty).to.equal(true);
        for (const source of sources) expect(source.isReady, `stream ${source.id} waits forever`).to.equal(false);
      }),
    );
  }).timeout(20_000);
});
