import { expect } from 'chai';
import { ProtocolError, type StreamError } from '../../../tunnel/errors.ts';
import { Budget } from '../../../tunnel/flow/budget.ts';
import { Stream } from '../../../tunnel/session/stream.ts';
import type { StreamPort } from '../../../tunnel/session/stream-port.ts';
import { Streams } from '../../../tunnel/session/streams.ts';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';

/** A session that only keeps its streams. */
function keeping() {
  const streams = new Streams();
  const budget = new Budget(1e9);
  const port: StreamPort<Stream> = {
    budget,
    growthFacts: () => ({ nowMs: 0, minRttMs: 0, maxBytes: 0 }),
    after: () => () => {},
    wake() {},
    credit() {},
    credited: () => true,
    control() {},
    forget: (stream) => streams.remove(stream),
  };
  const errors: StreamError[] = [];
  const add = (id: number): Stream => {
    budget.reserve();
    const stream = new Stream(id, port, 'local');
    stream.attach({ onData() {}, onEnd() {}, onDrain() {}, onClose() {}, onError: (error) => errors.push(error) });
    streams.see(id);
    streams.add(stream);
    return stream;
  };
  return { streams, add, errors, port };
}

describe('tunnel/session/streams', () => {
  it('accepts ids that increase, with gaps, and none twice', () => {
    const { streams } = keeping();
    streams.see(1);
    streams.see(5);
    expect(streams.lastId).to.equal(5);
    for (const id of [5, 4]) expect(() => streams.see(id)).to.throw(ProtocolError, `stream ${id} opened after 5`);
  });

  it('removes by identity: a late close never removes another stream', () => {
    const { streams, add, port } = keeping();
    add(1);
    streams.remove(new Stream(1, port, 'local'));
    expect(streams.size).to.equal(1);
  });

  it('drops frames of streams that are gone and refuses those of streams that never were', () => {
    const { streams, add } = keeping();
    add(2).reset(ErrorCode.Cancel);
    streams.receive({ type: FrameType.Window, streamId: 1, creditBytes: 1 });
    streams.receive({ type: FrameType.Reset, streamId: 2, code: 0, detail: '' });
    expect(() => streams.receive({ type: FrameType.Window, streamId: 3, creditBytes: 1 })).to.throw(ProtocolError);
  });

  it('fails all streams even when their owners react to the first failure', () => {
    const { streams, add, errors } = keeping();
    const [first, second] = [add(1), add(2)];
    first.attach({
      onData() {},
      onEnd() {},
      onDrain() {},
      onClose() {},
      onError: () => second.reset(ErrorCode.Cancel),
    });
    streams.failAll('gone');
    expect([streams.size, errors.length]).to.deep.equal([0, 0]);
  });

  it('adds up what waits and what is buffered', () => {
    const { streams, add } = keeping();
    const stream = add(1);
    stream.write(Buffer.from('abc'));
    streams.receive({ type: FrameType.Head, streamId: 1, isEnd: false, head: { status: 200, headers: [] } });
    streams.receive({ type: FrameType.Data, streamId: 1, isEnd: false, data: Buffer.from('de') });
    expect(streams.bytes).to.deep.equal({ queuedBytes: 3, bufferedBytes: 2 });
  });
});
