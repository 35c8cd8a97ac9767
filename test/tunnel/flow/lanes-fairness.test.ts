import { expect } from 'chai';
import fc from 'fast-check';
import { pick, type Random, seeded } from '../../../hack/fuzz/random.ts';
import { awake, bulk, Source, serve } from './lane-sources.ts';

const QUANTUM = 16 * 1024;
/** Two equal streams differ by one turn at most, so this many turns each bring the largest share within a fifth of the smallest. */
const TURNS = 5;
const FAIR = 1.2;
const LARGEST_HEAD = 80 * 1024;
const INTERACTIVE_BYTES = 64 * 1024;
const GUESTS = 8;

const streams = fc.integer({ min: 2, max: 64 });
const seed = fc.integer();
/** From crumbs to more than a quantum: what writers hand over at once. */
const CHUNKS = [100, 1_000, 1_460, 8_192, 16_384, 16_385, 65_536];

/** Each stream has writers of its own habits, and cuts each chunk anew. */
function chunked(source: Source, random: Random): Source {
  const usual = pick(CHUNKS, random);
  source.nextChunkBytes = () => 1 + random(usual);
  return source;
}

/** What the one that has least has, and how much more the one that has most. */
function shares(sources: readonly Source[]): { least: number; ratio: number } {
  const sent = sources.map((source) => source.sent);
  const least = Math.min(...sent);
  return { least, ratio: Math.max(...sent) / least };
}

/** Looks at all only now and then: looking at each frame would take longer than serving it. */
function until(isSo: () => boolean): () => boolean {
  let frames = 0;
  return () => frames++ % 32 === 31 && isSo();
}

describe('tunnel/flow/lanes share evenly', function () {
  this.timeout(20_000);

  it(`property: N bulk streams that stay ready are within ${FAIR} of each other after ${TURNS} quanta each, whatever their frames`, () => {
    fc.assert(
      fc.property(streams, seed, (count, seedOfRun) => {
        const random = seeded(seedOfRun);
        const sources = Array.from({ length: count }, (_, id) => chunked(bulk(id, Number.MAX_SAFE_INTEGER), random));
        serve(
          awake(sources),
          until(() => shares(sources).least >= TURNS * QUANTUM),
        );
        expect(shares(sources).ratio).to.be.at.most(FAIR);
      }),
      { numRuns: 60 },
    );
  });

  it('property: frames that cannot be cut are paid back: as even after as many turns of the largest frame', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 16 }), seed, (count, seedOfRun) => {
        const random = seeded(seedOfRun);
        const sources = Array.from({ length: count }, (_, id) => bulk(id, Number.MAX_SAFE_INTEGER));
        const all = new Map(sources.map((source) => [source.id, 0]));
        const lanes = awake(sources);
        const least = () => Math.min(...all.values());
        while (least() < TURNS * (QUANTUM + LARGEST_HEAD)) {
          const frame = lanes.next(0);
          if (frame === undefined) throw new Error('nobody is ready');
          all.set(frame.streamId, (all.get(frame.streamId) ?? 0) + frame.payload.length);
          const source = sources[frame.streamId];
          if (source !== undefined && random(4) === 0) source.headBytes = 1 + random(LARGEST_HEAD);
        }
        expect(Math.max(...all.values()) / least()).to.be.at.most(FAIR);
      }),
      { numRuns: 60 },
    );
  });

  it('property: new streams share the interactive lane evenly, while each that is done makes room for the next', () => {
    fc.assert(
      fc.property(streams, seed, (count, seedOfRun) => {
        const random = seeded(seedOfRun);
        const bodyBytes = 1 + random(INTERACTIVE_BYTES);
        const places = Array.from({ length: count }, (_, id) => chunked(new Source(id, bodyBytes), random));
        const done = places.map(() => 0);
        const lanes = awake(places);
        const sent = () => places.map((source, place) => (done[place] ?? 0) + source.sent);
        while (Math.min(...sent()) < TURNS * QUANTUM) {
          const frame = lanes.next(0);
          if (frame === undefined) throw new Error('nobody is ready');
          const place = frame.streamId;
          const source = places[place];
          if (source === undefined || source.queued > 0) continue;
          done[place] = (done[place] ?? 0) + source.sent;
          places[place] = chunked(new Source(place, bodyBytes), random);
          lanes.wake(places[place], 0);
        }
        expect(Math.max(...sent()) - Math.min(...sent())).to.be.at.most(2 * Math.min(bodyBytes, QUANTUM));
      }),
      { numRuns: 60 },
    );
  });

  it('property: streams that stay share evenly among others that come, go and are cancelled', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 32 }), seed, (count, seedOfRun) => {
        const random = seeded(seedOfRun);
        const staying = Array.from({ length: count }, (_, id) => chunked(bulk(id, Number.MAX_SAFE_INTEGER), random));
        const guests = Array.from({ length: GUESTS }, (_, index) => new Source(1_000 + index, 0));
        const lanes = awake(staying);
        const isEnough = until(() => shares(staying).least >= TURNS * QUANTUM);
        serve(lanes, () => {
          const place = random(8 * GUESTS);
          const guest = guests[place];
          if (guest !== undefined) {
            lanes.remove(guest);
            guests[place] = chunked(new Source(guest.id, 1 + random(100_000)), random);
            lanes.wake(guests[place], 0);
          }
          return isEnough();
        });
        expect(shares(staying).ratio).to.be.at.most(FAIR);
      }),
      { numRuns: 60 },
    );
  });

  it('property: interactive has 8 of 9 bytes while both wait, whatever the frames and however many streams', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), seed, (news, olds, seedOfRun) => {
        const random = seeded(seedOfRun);
        const large = Array.from({ length: olds }, (_, id) => chunked(bulk(id, Number.MAX_SAFE_INTEGER), random));
        const next = (id: number) => chunked(new Source(id, INTERACTIVE_BYTES), random);
        const small = Array.from({ length: news }, (_, index) => next(100 + index));
        const lanes = awake([...large, ...small]);
        let interactive = 0;
        const bulkBytes = () => large.reduce((sum, { sent }) => sum + sent, 0);
        while (bulkBytes() < 10 * QUANTUM) {
          const frame = lanes.next(0);
          if (frame === undefined) throw new Error('nobody is ready');
          if (frame.streamId < 100) continue;
          interactive += frame.payload.length;
          const index = frame.streamId - 100;
          // Who is done is followed by the next before anybody else is served.
          if (small[index]?.isReady !== false) continue;
          small[index] = next(frame.streamId);
          lanes.wake(small[index], 0);
        }
        // What one of both may be ahead: the lead that makes it bulk's turn, and a frame of each.
        const slack = 10 * QUANTUM;
        expect(interactive).to.be.within(8 * bulkBytes() - slack, 8 * bulkBytes() + slack);
      }),
      { numRuns: 60 },
    );
  });
});
