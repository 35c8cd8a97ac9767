import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { Budget } from '../../../tunnel/flow/budget.ts';
import { INFLATER_BYTES, Inflater, MAX_AHEAD_BYTES } from '../../../tunnel/session/inflater.ts';
import { turn, turnsUntil } from '../../support/transport-pair.ts';
import { turns, until } from '../../support/turns.ts';
import { ZlibStreams } from '../../support/zlib-streams.ts';

const KIBIBYTE = 1024;
const MEBIBYTE = KIBIBYTE * KIBIBYTE;
const NOTHING = new Uint8Array(0);

/** A reader that takes what it is told to, of an inflater whose every word it keeps. */
class Reader {
  readonly budget = new Budget(MEBIBYTE);
  readonly chunks: Buffer[] = [];
  readonly inflater: Inflater;
  madeBytes = 0;
  takenBytes = 0;
  settledBytes = 0;
  ends = 0;
  readonly errors: string[] = [];
  isClosed = false;
  /** Takes every chunk at once. */
  isGreedy = true;
  keepsChunks = true;

  constructor() {
    const inflater = Inflater.open(this.budget, {
      onData: (chunk) => {
        this.#alive();
        if (this.keepsChunks) this.chunks.push(Buffer.from(chunk));
        this.madeBytes += chunk.length;
        if (this.isGreedy) this.take(chunk.length);
      },
      onSettled: (bytes) => {
        this.#alive();
        this.settledBytes += bytes;
      },
      onEnd: () => {
        this.#alive();
        this.ends += 1;
      },
      onError: (detail) => {
        this.#alive();
        this.errors.push(detail);
      },
    });
    if (inflater === undefined) throw new Error('no memory');
    this.inflater = inflater;
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get isOver(): boolean {
    return this.ends + this.errors.length > 0;
  }

  take(bytes: number): void {
    this.takenBytes += bytes;
    this.inflater.taken(bytes);
  }

  close(): void {
    this.isClosed = true;
    this.inflater.close();
  }

  #alive(): void {
    expect(this.isClosed, 'nothing is called after close').to.equal(false);
    expect(this.isOver && this.errors.length > 0, 'nothing follows an error').to.equal(false);
  }
}

/** How many bytes this beginning of a DEFLATE stream holds. */
function heldBy(wire: Uint8Array): number {
  return inflateRawSync(wire, { finishFlush: constants.Z_SYNC_FLUSH }).length;
}

/** Time for zlib to inflate a few megabytes of somebody else's: nobody waits for it longer than his neighbour. */
async function whileOthersRead(): Promise<void> {
  const other = new Reader();
  other.keepsChunks = false;
  other.inflater.push(deflateRawSync(Buffer.alloc(4 * MEBIBYTE)));
  other.inflater.end();
  await until(() => other.isOver);
}

/** Cuts `bytes` at these places, as shares of its length. */
function cutAt(bytes: Uint8Array, shares: readonly number[]): Uint8Array[] {
  const places = [0, ...shares.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, at) => bytes.subarray(places[at], end));
}

describe('tunnel/session/inflater', function () {
  this.timeout(60_000);
  let streams: ZlibStreams;

  beforeEach(() => {
    streams = new ZlibStreams();
  });
  afterEach(() => {
    streams.stop();
    expect(streams.open, 'zlib handles').to.deep.equal([]);
  });

  const share = fc.double({ min: 0, max: 1, noNaN: true });
  /** Bodies between noise and repetition. */
  const body = fc
    .tuple(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 400 }), { maxLength: 6 }),
      fc.integer({ min: 0, max: 300 }),
    )
    .map(([parts, times]) =>
      Buffer.concat(Array.from({ length: times }, (_, at) => parts[at % (parts.length || 1)] ?? NOTHING)),
    );
  const paces = fc.array(fc.integer({ min: 500, max: MAX_AHEAD_BYTES }), { minLength: 1, maxLength: 12 });

  it('property: whatever the chunks and the pace of the reader, he has every byte, every wire byte is settled, and nothing is left', () =>
    fc.assert(
      fc.asyncProperty(body, fc.array(share, { maxLength: 8 }), paces, async (bytes, cuts, pace) => {
        const wire = deflateRawSync(bytes);
        const reader = new Reader();
        reader.isGreedy = false;
        for (const chunk of cutAt(wire, cuts)) reader.inflater.push(chunk);
        reader.inflater.end();
        for (let step = 0; reader.ends === 0 || reader.takenBytes < reader.madeBytes; step++) {
          await turn();
          expect(reader.madeBytes - reader.takenBytes + streams.heldBytes).to.be.at.most(MAX_AHEAD_BYTES);
          const wanted = pace[step % pace.length] ?? 0;
          reader.take(Math.min(wanted, reader.madeBytes - reader.takenBytes));
          expect(heldBy(wire.subarray(0, reader.settledBytes)), 'settled').to.be.at.most(reader.takenBytes);
        }
        expect(reader.body.equals(bytes)).to.equal(true);
        expect([reader.settledBytes, reader.ends, reader.errors]).to.deep.equal([wire.length, 1, []]);
        expect(reader.budget.usedBytes).to.equal(0);
      }),
      { numRuns: 60 },
    ));

  it('property: closed at any moment, it says nothing more and gives its memory back once', () =>
    fc.assert(
      fc.asyncProperty(body, fc.array(share, { maxLength: 8 }), fc.nat(12), async (bytes, cuts, waits) => {
        const reader = new Reader();
        reader.isGreedy = waits % 2 === 0;
        for (const chunk of cutAt(deflateRawSync(bytes), cuts)) reader.inflater.push(chunk);
        await turns(waits);
        reader.close();
        reader.inflater.close();
        reader.inflater.push(Buffer.from('late'));
        reader.inflater.taken(1);
        expect(reader.budget.usedBytes).to.equal(0);
        await turnsUntil(() => true);
      }),
      { numRuns: 60 },
    ));

  it('a bomb: 1 GB in 1 MB of wire bytes is held to 64 KiB, whatever waits', async () => {
    const zeros = Buffer.alloc(16 * MEBIBYTE);
    const part = deflateRawSync(zeros, { finishFlush: constants.Z_FULL_FLUSH });
    const bomb = Buffer.concat(Array.from({ length: 64 }, () => part));
    expect(bomb.length).to.be.within(MEBIBYTE / 2, 2 * MEBIBYTE);
    const reader = new Reader();
    reader.isGreedy = false;
    reader.keepsChunks = false;
    reader.inflater.push(bomb);
    const isFull = () => reader.madeBytes - reader.takenBytes + streams.heldBytes === MAX_AHEAD_BYTES;
    for (let times = 0; times < 5; times++) {
      await until(isFull);
      await whileOthersRead();
      expect(isFull()).to.equal(true);
      reader.take(reader.madeBytes - reader.takenBytes);
    }
    expect(reader.settledBytes, 'credit for what was taken, no more').to.be.at.most(reader.takenBytes / 500);
    expect(reader.budget.usedBytes).to.equal(INFLATER_BYTES);
    reader.close();
    expect(reader.budget.usedBytes).to.equal(0);
  });

  for (const bytes of [20 * KIBIBYTE, 50_000, MAX_AHEAD_BYTES]) {
    it(`settles a piece only when all it holds was taken: ${bytes} bytes, some of them still inside zlib`, async () => {
      const reader = new Reader();
      reader.isGreedy = false;
      const wire = deflateRawSync(Buffer.alloc(bytes));
      reader.inflater.push(wire);
      reader.inflater.end();
      await until(() => reader.madeBytes + streams.heldBytes === bytes);
      while (reader.takenBytes < bytes - 1) {
        await until(() => reader.madeBytes > reader.takenBytes);
        reader.take(Math.min(reader.madeBytes, bytes - 1) - reader.takenBytes);
        await turns(3);
        expect(reader.settledBytes).to.equal(0);
      }
      await until(() => reader.ends === 1);
      reader.take(1);
      expect([reader.settledBytes, reader.budget.usedBytes]).to.deep.equal([wire.length, 0]);
    });
  }

  const whole = deflateRawSync(Buffer.from('{"kind":"PodList","items":[]}'.repeat(50)));
  for (let left = 0; left < whole.length; left++) {
    it(`cut to ${left} of ${whole.length} bytes it is broken, never at an end`, async () => {
      const reader = new Reader();
      reader.inflater.push(whole.subarray(0, left));
      reader.inflater.end();
      await until(() => reader.isOver);
      expect([reader.ends, reader.errors.length, reader.budget.usedBytes]).to.deep.equal([0, 1, 0]);
    });
  }

  for (const [how, chunks] of [
    ['in the same chunk', [Buffer.concat([whole, Buffer.from('x')])]],
    ['in a chunk of their own', [whole, Buffer.from('x')]],
    ['another DEFLATE stream', [whole, whole]],
  ] as const) {
    it(`bytes behind its end are an error: ${how}`, async () => {
      const reader = new Reader();
      for (const chunk of chunks) reader.inflater.push(chunk);
      reader.inflater.end();
      await until(() => reader.isOver);
      expect(reader.errors).to.deep.equal(['bytes follow its end']);
      expect(reader.budget.usedBytes).to.equal(0);
    });
  }

  it('bytes that come later behind its end are an error too', async () => {
    const reader = new Reader();
    reader.inflater.push(whole);
    await until(() => reader.madeBytes > 0);
    reader.inflater.push(Buffer.from('x'));
    await until(() => reader.isOver);
    expect(reader.errors).to.deep.equal(['bytes follow its end']);
  });

  it('what is no DEFLATE stream says so', async () => {
    const reader = new Reader();
    reader.inflater.push(Buffer.from('{"kind":"PodList"}'));
    reader.inflater.end();
    await until(() => reader.isOver);
    expect(reader.errors[0]).to.match(/^it does not inflate: /);
  });

  it('without memory there is none', () => {
    const budget = new Budget(INFLATER_BYTES - 1);
    const never = () => expect.fail('nothing is called');
    const events = { onData: never, onSettled: never, onEnd: never, onError: never };
    expect(Inflater.open(budget, events)).to.equal(undefined);
    expect(budget.usedBytes).to.equal(0);
  });
});
