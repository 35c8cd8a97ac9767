import { expect } from 'chai';
import { KeptStream } from '../../../../operator/gateway/cache/kept-stream.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

/** What its owner hears. */
class Owner {
  readonly heard: string[] = [];
  bytes = 0;
  onHead = ({ status }: { status: number }) => this.heard.push(`head ${status}`);
  onEnd = () => this.heard.push('end');
  onClose = () => this.heard.push('close');
  onError = () => this.heard.push('error');
  onDrain = () => {};
  onData = (chunk: Uint8Array) => {
    this.bytes += chunk.length;
  };
}

const WINDOW_BYTES = 256 * 1024;
const LARGE = [new Uint8Array(10), new Uint8Array(3 * WINDOW_BYTES)];

describe('operator/gateway/cache/kept-stream', () => {
  it('hands over no more than its window before its owner took some, and then all of it', async () => {
    const owner = new Owner();
    const stream = new KeptStream({ status: 200, headers: [] }, LARGE, new ManualClock());
    stream.attach(owner);
    expect(owner.heard).to.deep.equal([]);
    await Promise.resolve();
    expect(owner.bytes).to.be.within(WINDOW_BYTES, WINDOW_BYTES + 64 * 1024);
    for (let taken = 0; taken < owner.bytes; ) {
      const bytes = owner.bytes - taken;
      taken = owner.bytes;
      stream.consume(bytes);
    }
    expect(owner.bytes).to.equal(10 + 3 * WINDOW_BYTES);
    expect(owner.heard).to.deep.equal(['head 200', 'end', 'close']);
  });

  it('says nothing more once it is reset, be it before it began', async () => {
    const early = new Owner();
    const never = new KeptStream({ status: 200, headers: [] }, LARGE, new ManualClock());
    never.attach(early);
    never.reset();
    await Promise.resolve();
    expect(early.heard).to.deep.equal([]);
    const owner = new Owner();
    const stream = new KeptStream({ status: 200, headers: [] }, LARGE, new ManualClock());
    stream.attach(owner);
    await Promise.resolve();
    stream.reset();
    const { bytes } = owner;
    stream.consume(bytes);
    expect(owner).to.deep.include({ bytes, heard: ['head 200'] });
  });

  it('has no body with 304', async () => {
    const owner = new Owner();
    new KeptStream({ status: 304, headers: [] }, LARGE, new ManualClock()).attach(owner);
    await Promise.resolve();
    expect(owner).to.deep.include({ bytes: 0, heard: ['head 304', 'end', 'close'] });
  });
});
