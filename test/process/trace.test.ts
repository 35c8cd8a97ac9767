import { expect } from 'chai';
import { newTrace, newTraceId, nextTrace, traced, traceOf } from '../../process/trace.ts';

const FRESH = /^[0-9a-f]{32}$/;
const W3C = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PARENT = `00-${W3C}-${SPAN}-01`;

describe('process/trace', () => {
  it('makes ids that are never the same', () => {
    expect(newTraceId()).to.match(FRESH);
    const ids = Array.from({ length: 1_000 }, () => newTrace().parent);
    expect(new Set(ids).size).to.equal(1_000);
    for (const id of ids) expect(id).to.match(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('takes the id of the client when it is at most 64 safe characters', () => {
    const longest = 'a'.repeat(64);
    for (const id of ['x', 'Abc.1_2-3', longest]) expect(traceOf(['X-Trace-ID', id]).id).to.equal(id);
  });

  it('goes on with the trace of traceparent, in a span of its own', () => {
    const { id, parent, isContinued } = traceOf(['Traceparent', PARENT]);
    expect({ id, isContinued }).to.deep.equal({ id: W3C, isContinued: true });
    expect(parent)
      .to.match(new RegExp(`^00-${W3C}-[0-9a-f]{16}-01$`))
      .and.not.contain(SPAN);
  });

  it('keeps both ids of a client that sends both', () => {
    const { id, parent } = traceOf(['x-trace-id', 'mine', 'traceparent', PARENT]);
    expect([id, parent.slice(3, 35)]).to.deep.equal(['mine', W3C]);
  });

  it('makes a traceparent of an X-Trace-ID that is a trace id, and another one beside any else', () => {
    expect(traceOf(['x-trace-id', W3C]).parent.slice(3, 35)).to.equal(W3C);
    for (const id of ['mine', W3C.toUpperCase(), '0'.repeat(32)]) {
      const { id: kept, parent } = traceOf(['x-trace-id', id]);
      expect(kept).to.equal(id);
      expect(parent).to.match(/^00-(?!0{32})[0-9a-f]{32}-/);
    }
  });

  it('follows the requests of who sends an id of his own, or samples', () => {
    const isFollowed = (...headers: string[]) => traceOf(headers).isFollowed;
    expect(isFollowed('x-trace-id', 'mine')).to.equal(true);
    expect(isFollowed('traceparent', PARENT)).to.equal(true);
    expect(isFollowed()).to.equal(false);
    expect(isFollowed('x-trace-id', 'a b')).to.equal(false);
    expect(isFollowed('x-trace-id', 'mine', 'traceparent', PARENT.replace(/01$/, '00'))).to.equal(false);
  });

  for (const id of ['', 'a'.repeat(65), 'a b', 'a\r\nX-Evil: 1', 'é', '../x']) {
    it(`replaces ${JSON.stringify(id.slice(0, 20))}`, () => {
      expect(traceOf(['x-trace-id', id]).id).to.match(FRESH);
      expect(traceOf(['x-trace-id', id, 'traceparent', PARENT]).id).to.equal(W3C);
      expect(nextTrace(id, []).id).to.match(FRESH);
    });
  }

  it('replaces what is said twice', () => {
    expect(traceOf(['x-trace-id', 'a', 'X-Trace-Id', 'b']).id).to.match(FRESH);
    expect(traceOf(['traceparent', PARENT, 'traceparent', PARENT]).id)
      .to.match(FRESH)
      .and.not.equal(W3C);
  });

  for (const parent of [
    '',
    'x',
    `01-${W3C}-${SPAN}-01x`,
    `00-${W3C}-${SPAN}-01-more`,
    `00-${W3C}-${SPAN}-1`,
    `00-${W3C}-${SPAN}-0g`,
    ` ${PARENT}`,
    `ff-${W3C}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${W3C}-${'0'.repeat(16)}-01`,
    `00-${W3C.toUpperCase()}-${SPAN}-01`,
    `01-${W3C}-${SPAN}-01-${'x'.repeat(256)}`,
  ]) {
    it(`does not take ${JSON.stringify(parent.slice(0, 64))} for a traceparent`, () => {
      const { id, isContinued } = traceOf(['traceparent', parent]);
      expect(id).to.match(FRESH).and.not.to.equal(W3C);
      expect(isContinued).to.equal(false);
    });
  }

  it('reads later versions as far as it knows them, and passes on as its own', () => {
    for (const later of [`01-${W3C}-${SPAN}-03`, `cc-${W3C}-${SPAN}-ff-what-will-be`])
      expect(traceOf(['traceparent', later]).parent).to.match(new RegExp(`^00-${W3C}-[0-9a-f]{16}-01$`));
  });

  it('says its own traceparent to the next hop, and tracestate only of a trace that goes on', () => {
    const headers = ['Accept', 'x', 'Tracestate', 'a=1', 'TraceParent', PARENT];
    const ours = traceOf(headers);
    expect(traced(headers, ours)).to.deep.equal(['Accept', 'x', 'Tracestate', 'a=1', 'traceparent', ours.parent]);
    const other = newTrace();
    expect(traced(headers, other)).to.deep.equal(['Accept', 'x', 'traceparent', other.parent]);
  });

  it('follows at the next hop what the hop before follows', () => {
    const first = traceOf(['x-trace-id', 'mine']);
    const second = nextTrace(first.id, traced([], first));
    expect(second).to.include({ id: 'mine', isFollowed: true, isContinued: true });
    expect(second.parent.slice(0, 35)).to.equal(first.parent.slice(0, 35));
    expect(second.parent).to.not.equal(first.parent);
    expect(nextTrace('mine', []), 'of a gateway that knows no traceparent').to.include({
      id: 'mine',
      isFollowed: false,
    });
  });
});
