import { expect } from 'chai';
import { JoinedStream } from '../../../../operator/gateway/fallback/joined-stream.ts';
import type { StreamError } from '../../../../tunnel/errors.ts';
import type { StreamEvents } from '../../../../tunnel/session/stream.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import { INITIAL_WINDOW_BYTES } from '../../../../tunnel/wire/limits.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

/** Hears one end, and takes bytes only when told to. */
class Listener implements StreamEvents {
  readonly heard: string[] = [];
  error: StreamError | undefined;
  onBytes: (bytes: number) => void = () => {};

  onHead({ status }: { status: number }): void {
    this.heard.push(`head ${status}`);
  }
  onData(chunk: Uint8Array): void {
    this.heard.push(`${chunk.length} bytes`);
    this.onBytes(chunk.length);
  }
  onEnd(trailers: readonly string[]): void {
    this.heard.push(`end ${trailers.join()}`.trim());
  }
  onError(error: StreamError): void {
    this.error = error;
    this.heard.push('error');
  }
  onDrain(): void {
    this.heard.push('drain');
  }
  onClose(): void {
    this.heard.push('close');
  }
}

describe('operator/gateway/fallback/joined-stream', () => {
  let stream: JoinedStream;
  let owner: Listener;
  let server: Listener;
  beforeEach(() => {
    stream = new JoinedStream(new ManualClock());
    owner = new Listener();
    server = new Listener();
    stream.served.attach(server);
    stream.attach(owner);
  });

  const window = new Uint8Array(INITIAL_WINDOW_BYTES);

  it('tells each end what the other says, in order, and closes when both have ended', () => {
    stream.write(new Uint8Array(3));
    stream.end(['x', '1']);
    stream.served.sendHead({ status: 200, headers: [] });
    stream.served.write(new Uint8Array(5));
    expect(stream.served.isClosed).to.equal(false);
    stream.served.end();
    expect(server.heard).to.deep.equal(['3 bytes', 'end x,1', 'close']);
    expect(owner.heard).to.deep.equal(['head 200', '5 bytes', 'end', 'close']);
    expect(stream.served.isClosed).to.equal(true);
  });

  it('holds a source up after a window that nobody took, both ways, until it was taken', () => {
    expect(stream.served.write(window)).to.equal(false);
    expect(stream.served.outbox).to.include({ queuedBytes: window.length, isEmpty: false });
    stream.consume(1);
    stream.consume(window.length - 1);
    expect(server.heard).to.deep.equal(['drain']);
    expect(stream.served.outbox.isEmpty).to.equal(true);
    expect(stream.write(window)).to.equal(false);
    stream.served.consume(window.length);
    expect(owner.heard.at(-1)).to.equal('drain');
  });

  it('holds up nobody whose bytes are taken while he hands them over', () => {
    owner.onBytes = (bytes) => stream.consume(bytes);
    server.onBytes = (bytes) => stream.served.consume(bytes);
    expect([stream.served.write(window), stream.write(window)]).to.deep.equal([true, true]);
  });

  it('tells the other end why one ended it, itself only that it is over, and nothing afterwards', () => {
    stream.reset(ErrorCode.Cancel, 'gone');
    stream.served.sendHead({ status: 200, headers: [] });
    stream.served.write(window);
    stream.served.end();
    stream.served.reset(ErrorCode.Internal, 'late');
    stream.write(window);
    expect([owner.heard, server.heard]).to.deep.equal([['close'], ['error', 'close']]);
    expect(server.error).to.include({ code: ErrorCode.Cancel, detail: 'gone' });
  });

  it('knows of a refused request that it did not run, of a reset one nothing', () => {
    stream.served.refuse(ErrorCode.UpstreamUnreachable, 'why');
    expect(owner.error).to.include({ execution: 'not-executed', code: ErrorCode.UpstreamUnreachable });
    const other = new JoinedStream(new ManualClock());
    other.attach(owner);
    other.served.reset(ErrorCode.UpstreamReset, 'why');
    expect(owner.error).to.include({ execution: 'unknown', code: ErrorCode.UpstreamReset });
  });
});
