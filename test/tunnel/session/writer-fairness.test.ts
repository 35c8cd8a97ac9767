import { expect } from 'chai';
import fc from 'fast-check';
import { pick, type Random, seeded } from '../../../hack/fuzz/random.ts';
import type { Writer } from '../../../tunnel/session/writer.ts';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import { SlowPipe } from '../../support/slow-pipe.ts';
import { turn } from '../../support/transport-pair.ts';
import { Script, writerOver } from './writing.ts';

const QUANTUM = 16 * 1024;
/** So much each has sent when all of them are bulk. */
const ALL_BULK_BYTES = 80 * 1024 + QUANTUM;
/** From any moment on two equal streams differ by the turn that runs then and the one that runs at the end: a fifth of ten. */
const TURNS = 10;
const FAIR = 1.2;
const CHUNKS = [300, 1_460, 8_192, 16_384, 16_385, 65_536];

/** A stream that always has more, in chunks of its own habit. */
function endless(id: number, writer: Writer, random: Random): void {
  const chunkBytes = pick(CHUNKS, random);
  const refill = (script: Script) => {
    if (script.outbox.queuedBytes < chunkBytes) script.data(1 + random(chunkBytes));
  };
  const script = new Script(id, writer, refill);
  script.head(random(2_000));
  script.credit(2 ** 30);
  refill(script);
}

/** What the system took of each stream, by its id. */
function takenBytes(pipe: SlowPipe, count: number): number[] {
  const taken = Array.from({ length: count }, () => 0);
  for (const frame of pipe.taken) {
    if (frame.type === FrameType.Data) taken[frame.streamId - 1] = (taken[frame.streamId - 1] ?? 0) + frame.data.length;
  }
  return taken;
}

describe('tunnel/session/writer shares evenly', () => {
  it(`property: N bulk streams that always have more are within ${FAIR} of each other after ${TURNS} quanta each, packed and handed over`, async function () {
    this.timeout(30_000);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 64 }), fc.integer(), async (count, seed) => {
        const random = seeded(seed);
        const pipe = new SlowPipe();
        const { writer } = writerOver(pipe);
        for (let id = 1; id <= count; id++) endless(id, writer, random);
        const eachHas = async (bytes: number, from: readonly number[] = []) => {
          for (;;) {
            const taken = takenBytes(pipe, count).map((now, index) => now - (from[index] ?? 0));
            if (Math.min(...taken) >= bytes) return taken;
            for (let turns = 0; turns < 20; turns++) {
              await turn();
              pipe.take(1 + random(3));
            }
          }
        };
        const before = await eachHas(ALL_BULK_BYTES);
        const since = await eachHas(TURNS * QUANTUM, before);
        writer.close();
        expect(Math.max(...since) / Math.min(...since)).to.be.at.most(FAIR);
      }),
      { numRuns: 15 },
    );
  });
});
