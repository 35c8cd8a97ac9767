import { expect } from 'chai';
import fc from 'fast-check';
import { Outbox } from '../../../tunnel/session/outbox.ts';
import { Flag, FrameType } from '../../../tunnel/wire/codes.ts';
import { encode } from '../../../tunnel/wire/encode.ts';

const HEAD = encode({ type: FrameType.Head, streamId: 1, isEnd: false, head: { status: 200, headers: [] } });
const INITIAL = 16 * 1024;

function outbox(): Outbox {
  return new Outbox(
    1,
    () => 64 * 1024,
    () => {},
  );
}

describe('tunnel/session/outbox', () => {
  it('keeps heads, body and end in order, and puts the end on the last DATA', () => {
    const box = outbox();
    box.pushFrame(HEAD);
    box.pushData(Buffer.from('abc'));
    box.pushEnd();
    expect(box.take(100)).to.equal(HEAD);
    expect(box.isFirstTaken).to.equal(true);
    expect(box.take(2)).to.include({ type: FrameType.Data, flags: 0 });
    expect(box.take(100)).to.include({ flags: Flag.End });
    expect([box.isEmpty, box.isReady, box.queuedBytes]).to.deep.equal([true, false, 0]);
  });

  it('ends an empty body with an empty DATA, which needs no credit', () => {
    const box = outbox();
    box.pushData(new Uint8Array(INITIAL));
    box.take(INITIAL);
    box.pushEnd();
    expect(box.isReady).to.equal(true);
    expect(box.take(1).payload).to.have.length(0);
  });

  it('is not ready without credit, and again when credit comes', () => {
    const box = outbox();
    box.pushData(new Uint8Array(INITIAL + 1));
    expect(box.take(1_000_000).payload).to.have.length(INITIAL);
    expect([box.isReady, box.isEmpty, box.queuedBytes]).to.deep.equal([false, false, 1]);
    box.window.grant(1);
    expect(box.isReady).to.equal(true);
  });

  it('sends a head without credit', () => {
    const box = outbox();
    box.window.take(INITIAL);
    box.pushFrame(HEAD);
    expect(box.isReady).to.equal(true);
  });

  it('is full at 64 KiB, and takes empty chunks for nothing', () => {
    const box = outbox();
    box.pushData(new Uint8Array(0));
    expect([box.isEmpty, box.isReady]).to.deep.equal([true, false]);
    box.pushData(new Uint8Array(65_535));
    expect(box.isFull).to.equal(false);
    box.pushData(new Uint8Array(1));
    expect(box.isFull).to.equal(true);
    box.clear();
    expect([box.isFull, box.isEmpty, box.queuedBytes]).to.deep.equal([false, true, 0]);
  });

  it('property: DATA frames carry exactly the bytes that were pushed, in order, within credit and size', () => {
    const sizes = fc.array(fc.nat(30_000), { maxLength: 10 });
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.integer({ min: 1, max: 20_000 })), (pushed, takes) => {
        const box = outbox();
        const chunks = pushed.map((size, index) => Buffer.alloc(size, index + 1));
        for (const chunk of chunks) box.pushData(chunk);
        box.pushEnd();
        const taken: Uint8Array[] = [];
        while (!box.isEmpty) {
          if (!box.isReady) box.window.grant(takes.next().value);
          const most = takes.next().value;
          const credit = box.window.availableBytes;
          const { payload, flags } = box.take(most);
          expect(payload.length).to.be.at.most(Math.min(most, credit));
          expect(flags === Flag.End).to.equal(box.isEmpty);
          taken.push(payload);
        }
        expect(Buffer.concat(taken).equals(Buffer.concat(chunks))).to.equal(true);
      }),
    );
  });
});
