import { inflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { Budget } from '../../../tunnel/flow/budget.ts';
import { DEFLATER_BYTES, DeflatedBody } from '../../../tunnel/session/deflated-body.ts';
import type { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { podList } from '../../support/pod-list.ts';
import { turn, turnsUntil } from '../../support/transport-pair.ts';
import { until } from '../../support/turns.ts';
import { ZlibStreams } from '../../support/zlib-streams.ts';

const MEBIBYTE = 2 ** 20;
const CHUNK_BYTES = 64 * 1024;

/** A stream that takes what it has room for. */
class Sink {
  readonly budget = new Budget(2 * MEBIBYTE);
  readonly chunks: Buffer[] = [];
  readonly trailers: RawHeaders[] = [];
  readonly resets: ErrorCode[] = [];
  readonly closes: { plain: number; deflated: number }[] = [];
  drains = 0;
  onDrain: () => void = () => {};
  /** Says after each chunk whether there is room for more. */
  hasRoom: () => boolean = () => true;
  readonly body: DeflatedBody;

  constructor() {
    const alive = () => expect(this.closes, 'nothing is written once it is closed').to.deep.equal([]);
    const body = DeflatedBody.open({
      stream: {
        write: (chunk) => {
          alive();
          this.chunks.push(Buffer.from(chunk));
          return this.hasRoom();
        },
        end: (trailers = []) => this.trailers.push(trailers),
        reset: (code) => this.resets.push(code),
      },
      budget: this.budget,
      onDrain: () => {
        alive();
        this.drains += 1;
        this.onDrain();
      },
      onClose: (bytes) => this.closes.push(bytes),
    });
    if (body === undefined) throw new Error('no memory');
    this.body = body;
  }

  get wire(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

describe('tunnel/session/deflated-body', function () {
  this.timeout(60_000);
  let streams: ZlibStreams;

  beforeEach(() => {
    streams = new ZlibStreams();
  });
  afterEach(() => {
    streams.stop();
    expect(streams.open, 'zlib handles').to.deep.equal([]);
  });

  const chunks = fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 40 });

  it('property: whatever the chunks and the room, what arrives is the body as one DEFLATE stream, then the trailers', () =>
    fc.assert(
      fc.asyncProperty(chunks, fc.infiniteStream(fc.boolean()), async (parts, room) => {
        const sink = new Sink();
        let isPaused = false;
        sink.hasRoom = () => {
          isPaused = room.next().value === false;
          return !isPaused;
        };
        for (const part of parts) {
          const drains = sink.drains;
          const mayGoOn = sink.body.write(part);
          for (; !mayGoOn && sink.drains === drains; await turn()) sink.body.resume();
        }
        sink.body.end(['X-Sum', '1']);
        for (; sink.closes.length === 0; await turn()) sink.body.resume();
        const body = Buffer.concat(parts);
        expect(inflateRawSync(sink.wire).equals(body)).to.equal(true);
        expect(sink.trailers).to.deep.equal([['X-Sum', '1']]);
        expect(sink.closes).to.deep.equal([{ plain: body.length, deflated: sink.wire.length }]);
        expect([sink.budget.usedBytes, sink.resets]).to.deep.equal([0, []]);
      }),
      { numRuns: 60 },
    ));

  it('property: closed at any moment, nothing is written any more and its memory is given back once', () =>
    fc.assert(
      fc.asyncProperty(chunks, fc.nat(8), fc.boolean(), async (parts, turns, isEnded) => {
        const sink = new Sink();
        for (const part of parts) sink.body.write(part);
        if (isEnded) sink.body.end([]);
        for (let left = turns; left > 0; left--) await turn();
        sink.body.close();
        sink.body.close();
        sink.body.write(Buffer.from('late'));
        sink.body.resume();
        sink.body.end([]);
        await turnsUntil(() => true);
        expect(sink.closes).to.have.length(1);
        expect(sink.budget.usedBytes).to.equal(0);
      }),
      { numRuns: 60 },
    ));

  it('asks its source to pause while the stream has no room, and holds no more than it took memory for', async () => {
    const sink = new Sink();
    sink.hasRoom = () => false;
    const list = podList(4 * MEBIBYTE);
    let takenBytes = 0;
    const pour = () => {
      for (let mayGoOn = true; mayGoOn && takenBytes < list.length; takenBytes += CHUNK_BYTES) {
        mayGoOn = sink.body.write(list.subarray(takenBytes, takenBytes + CHUNK_BYTES));
      }
    };
    sink.onDrain = pour;
    pour();
    await until(() => sink.chunks.length > 0);
    // As long as another body of this length takes.
    const other = new Sink();
    for (let at = 0; at < list.length; at += CHUNK_BYTES) other.body.write(list.subarray(at, at + CHUNK_BYTES));
    other.body.end([]);
    await until(() => other.body.isDone);
    expect(takenBytes).to.be.lessThan(list.length / 2);
    expect(streams.heldBytes).to.be.lessThan(DEFLATER_BYTES);
    sink.body.close();
  });

  it('is one only while windows have growth to spare', () => {
    const budget = new Budget(DEFLATER_BYTES);
    const stream = { write: () => true, end: () => {}, reset: () => {} };
    const body = DeflatedBody.open({ stream, budget, onDrain: () => {}, onClose: () => {} });
    expect(body, 'a quarter is kept for admitting streams').to.equal(undefined);
    expect(budget.usedBytes).to.equal(0);
  });
});
