import { expect } from 'chai';
import { newTraceId, traceIdOf } from '../../process/trace.ts';

const FRESH = /^[0-9a-f]{32}$/;
const W3C = '0af7651916cd43dd8448eb211c80319c';

describe('process/trace', () => {
  it('makes ids that are never the same', () => {
    expect(newTraceId()).to.match(FRESH);
    expect(newTraceId()).not.to.equal(newTraceId());
  });

  it('takes the id of the client when it is at most 64 safe characters', () => {
    const longest = 'a'.repeat(64);
    for (const id of ['x', 'Abc.1_2-3', longest]) expect(traceIdOf(id, undefined)).to.equal(id);
  });

  it('takes the id of traceparent when there is no other', () => {
    expect(traceIdOf(undefined, `00-${W3C}-b7ad6b7169203331-01`)).to.equal(W3C);
  });

  for (const id of ['', 'a'.repeat(65), 'a b', 'a\r\nX-Evil: 1', 'é', '../x']) {
    it(`replaces ${JSON.stringify(id.slice(0, 20))}`, () => {
      expect(traceIdOf(id, undefined)).to.match(FRESH);
      expect(traceIdOf(id, `00-${W3C}-b7ad6b7169203331-01`)).to.equal(W3C);
    });
  }

  for (const parent of ['', 'x', `01-${W3C}-b7ad6b7169203331-01x`, `00-${W3C.toUpperCase()}-b7ad6b7169203331-01`]) {
    it(`does not take ${JSON.stringify(parent)} for a traceparent`, () => {
      expect(traceIdOf(undefined, parent)).to.match(FRESH).and.not.to.equal(W3C);
    });
  }

  it('replaces the id of all zeros, which says that there is none', () => {
    const none = '0'.repeat(32);
    expect(traceIdOf(undefined, `00-${none}-b7ad6b7169203331-01`)).not.to.equal(none);
  });
});
