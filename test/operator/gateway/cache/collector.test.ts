import { expect } from 'chai';
import { Collector } from '../../../../operator/gateway/cache/collector.ts';

describe('operator/gateway/cache/collector', () => {
  let reserved: number;
  beforeEach(() => {
    reserved = 0;
  });

  function collector(headers: string[] = [], mostBytes = 10_000, roomBytes = 10_000): Collector {
    return new Collector({ status: 200, headers }, 5, mostBytes, {
      reserve: (bytes) => {
        if (reserved + bytes > roomBytes) return false;
        reserved += bytes;
        return true;
      },
      release: (bytes) => {
        reserved -= bytes;
      },
    });
  }

  it('copies an answer, and gives its room back at the end', () => {
    const one = collector(['content-length', '4']);
    const view = Buffer.from('body');
    one.add(view);
    view.fill('x');
    expect(reserved).to.be.above(4);
    const kept = one.end([]);
    expect(Buffer.concat(kept?.chunks ?? []).toString()).to.equal('body');
    expect(kept?.atMs).to.equal(5);
    expect(reserved).to.equal(0);
  });

  it('gives up what has another length than it said, or trailers', () => {
    const short = collector(['content-length', '5']);
    short.add(Buffer.from('body'));
    expect(short.end([])).to.equal(undefined);
    expect(collector().end(['x', 'y'])).to.equal(undefined);
    expect(reserved).to.equal(0);
  });

  it('gives up at once what is too large or finds no room, and gives back what it had', () => {
    for (const make of [() => collector([], 1_000, 10_000), () => collector([], 10_000, 1_000)]) {
      const one = make();
      one.add(new Uint8Array(400));
      expect(one.isOver).to.equal(false);
      one.add(new Uint8Array(400));
      expect(one.isOver).to.equal(true);
      expect(reserved).to.equal(0);
      one.add(new Uint8Array(1));
      expect(one.end([])).to.equal(undefined);
    }
  });
});
