import { expect } from 'chai';
import type { ProtocolError } from '../../../tunnel/errors.ts';
import { Outbox } from '../../../tunnel/session/outbox.ts';
import { Slabs } from '../../../tunnel/session/slabs.ts';
import type { Transport } from '../../../tunnel/session/transport.ts';
import { Writer } from '../../../tunnel/session/writer.ts';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import { decodeMessage } from '../../../tunnel/wire/decode.ts';
import { encode } from '../../../tunnel/wire/encode.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import { INITIAL_WINDOW_BYTES, MAX_MESSAGE_BYTES } from '../../../tunnel/wire/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { turn } from '../../support/transport-pair.ts';

const PING = encode({ type: FrameType.Ping, token: 1 });
const HANDED_LIMIT = 128 * 1024;

/** A connection that keeps what it is given until it is told that the system took it. */
class Pipe implements Transport {
  readonly messages: Uint8Array[] = [];
  readonly #written: (() => void)[] = [];

  send(message: Uint8Array, written: () => void): void {
    const at = this.messages.push(message) - 1;
    this.#written.push(() => {
      // As a system does: from here on the sender may use its memory again.
      this.messages[at] = Buffer.from(message);
      written();
    });
  }

  /** The system took the oldest messages. */
  take(count = this.#written.length): void {
    for (const written of this.#written.splice(0, count)) written();
  }

  get frames(): Frame[] {
    const frames: Frame[] = [];
    for (const message of this.messages) decodeMessage(message, (frame) => frames.push(frame));
    return frames;
  }

  listen(): void {}
  close(): void {}
  destroy(): void {}
}

function writing() {
  const clock = new ManualClock();
  const pipe = new Pipe();
  const deaths: ProtocolError[] = [];
  const writer = new Writer({
    transport: pipe,
    slabs: new Slabs({ isPoisoned: true }),
    clock,
    deadlines: () => ({ controlWriteMs: 5_000, dataWriteMs: 30_000 }),
    onDead: (error) => {
      deaths.push(error);
      writer.close();
    },
  });
  return { clock, pipe, deaths, writer };
}

/** A stream with a body and all the credit it wants. */
function body(writer: Writer, streamId: number, bytes: number): Outbox {
  const outbox = new Outbox(
    streamId,
    () => 64 * 1024,
    () => {},
  );
  outbox.window.grant(2 ** 30);
  outbox.pushData(new Uint8Array(bytes));
  writer.wake(outbox);
  return outbox;
}

describe('tunnel/session/writer', () => {
  it('packs what is ready in one turn into one message', async () => {
    const { pipe, writer } = writing();
    writer.control(PING);
    body(writer, 1, 10);
    body(writer, 2, 10);
    expect(pipe.messages).to.have.length(0);
    await turn();
    expect(pipe.messages).to.have.length(1);
    expect(pipe.frames.map(({ type }) => type)).to.deep.equal([FrameType.Ping, FrameType.Data, FrameType.Data]);
  });

  it('writes control before any body, whatever came first', async () => {
    const { pipe, writer } = writing();
    body(writer, 1, 100_000);
    writer.credit(7, 5);
    writer.slots({ ordinary: 1, longRunning: 0 });
    writer.control(PING);
    await turn();
    expect(pipe.frames.slice(0, 3).map(({ type }) => type)).to.deep.equal([
      FrameType.Ping,
      FrameType.Slots,
      FrameType.Window,
    ]);
  });

  it('makes one WINDOW and one SLOTS of several', async () => {
    const { pipe, writer } = writing();
    writer.credit(7, 5);
    writer.credit(7, 6);
    writer.slots({ ordinary: 1, longRunning: 0 });
    writer.slots({ ordinary: 1, longRunning: 2 });
    await turn();
    expect(pipe.frames).to.deep.equal([
      { type: FrameType.Slots, slots: { ordinary: 2, longRunning: 2 } },
      { type: FrameType.Window, streamId: 7, creditBytes: 11 },
    ]);
  });

  it('hands over little at a time, so that a heartbeat goes before more bulk', async () => {
    const { pipe, writer } = writing();
    body(writer, 1, 10_000_000);
    await turn();
    expect(writer.waiting.handedBytes).to.be.within(HANDED_LIMIT, HANDED_LIMIT + MAX_MESSAGE_BYTES);
    const handed = pipe.messages.length;
    writer.control(PING);
    await turn();
    expect(pipe.messages, 'nothing more').to.have.length(handed);
    pipe.take(1);
    await turn();
    const [next] = pipe.frames.slice(handed);
    expect(next?.type).to.equal(FrameType.Ping);
  });

  it('never packs a message that the peer must refuse', async () => {
    const { pipe, writer } = writing();
    const nearly = encode({ type: FrameType.Data, streamId: 1, isEnd: false, data: new Uint8Array(65_536 - 10) });
    const largest = encode({
      type: FrameType.Head,
      streamId: 1,
      isEnd: false,
      head: { status: 200, headers: ['a', 'x'.repeat(65_000), 'b', 'x'.repeat(16_900)] },
    });
    writer.control(nearly);
    writer.control(largest);
    await turn();
    expect(pipe.messages).to.have.length(1);
    expect(pipe.messages[0]?.length).to.be.at.most(MAX_MESSAGE_BYTES);
  });

  it('forgets the frames and the credit of a removed stream', async () => {
    const { pipe, writer } = writing();
    const outbox = body(writer, 1, 10);
    writer.credit(1, 5);
    writer.remove(1, outbox);
    await turn();
    expect(pipe.messages).to.have.length(0);
  });

  describe('deadlines', () => {
    it('is dead when data is not taken for 30 s', async () => {
      const { clock, deaths, writer } = writing();
      body(writer, 1, 10);
      await turn();
      clock.advance(30_000);
      expect(deaths).to.have.length(0);
      clock.advance(1_000);
      expect(deaths.map(({ code }) => code)).to.deep.equal([ErrorCode.Silent]);
      expect(clock.pending).to.equal(0);
    });

    it('is dead when a control frame waits for 5 s', async () => {
      const { clock, deaths, writer } = writing();
      body(writer, 1, 1_000_000);
      await turn();
      writer.control(PING);
      clock.advance(5_000);
      expect(deaths).to.have.length(0);
      clock.advance(1_000);
      expect(deaths.map(({ message }) => message)).to.deep.equal(['SILENT: control frames waited 6000 ms']);
    });

    it('counts credit and slots that wait as control', async () => {
      const { clock, deaths, writer } = writing();
      body(writer, 1, 1_000_000);
      await turn();
      writer.credit(1, 5);
      clock.advance(6_000);
      expect(deaths).to.have.length(1);
    });

    it('does not blame a control frame for the time that data waited before it', async () => {
      const { clock, deaths, writer } = writing();
      body(writer, 1, 1_000_000);
      await turn();
      body(writer, 2, 10);
      clock.advance(9_500);
      writer.control(PING);
      clock.advance(1_000);
      expect(deaths).to.deep.equal([]);
    });

    it('lives while bytes move, however slowly', async () => {
      const { clock, deaths, pipe, writer } = writing();
      body(writer, 1, 100_000_000);
      await turn();
      for (let step = 0; step < 20; step++) {
        writer.control(PING);
        clock.advance(4_500);
        pipe.take(1);
        await turn();
      }
      expect(deaths).to.deep.equal([]);
    });

    it('keeps no timer once all is taken', async () => {
      const { clock, pipe, writer } = writing();
      body(writer, 1, 10);
      await turn();
      pipe.take();
      clock.advance(1_000);
      expect(clock.pending).to.equal(0);
    });
  });

  describe('the speed of the link', () => {
    it('is measured by the credit of streams that have more to send', async () => {
      const { clock, pipe, writer } = writing();
      const outbox = body(writer, 1, 2_000_000);
      for (let credits = 0; credits < 12; credits++) {
        await turn();
        pipe.take();
        clock.advance(100);
        expect(writer.credited(outbox, 65_536)).to.equal(true);
      }
      expect(writer.bytesPerSecond).to.equal(655_360);
    });

    it('says nothing when streams have sent all they had', async () => {
      const { clock, pipe, writer } = writing();
      for (let streamId = 1; streamId < 50; streamId++) {
        const outbox = body(writer, streamId, 60_000);
        await turn();
        pipe.take();
        for (let credits = 0; credits < 3; credits++) {
          clock.advance(100);
          writer.credited(outbox, 20_000);
        }
      }
      expect(writer.bytesPerSecond).to.equal(undefined);
    });
  });

  it('says so once when more control frames wait than a peer may cause', () => {
    const { deaths, writer } = writing();
    for (let frame = 0; frame < 20_000; frame++) writer.control(PING);
    expect(deaths.map(({ code }) => code)).to.deep.equal([ErrorCode.Abuse]);
    expect(writer.waiting.control).to.equal(0);
  });

  it('keeps nothing and writes nothing once it is closed', async () => {
    const { clock, pipe, writer } = writing();
    body(writer, 1, 10);
    writer.close();
    writer.control(PING);
    writer.credit(1, 5);
    writer.slots({ ordinary: 1, longRunning: 1 });
    writer.lastWords();
    await turn();
    expect([pipe.messages.length, writer.waiting.control, clock.pending]).to.deep.equal([0, 0, 0]);
  });

  it('has last words even when the connection is full, and no stream has a part in them', async () => {
    const { pipe, writer } = writing();
    const outbox = body(writer, 1, 1_000_000);
    await turn();
    const queued = outbox.queuedBytes;
    writer.control(PING);
    writer.lastWords();
    expect(pipe.frames.at(-1)?.type).to.equal(FrameType.Ping);
    expect(outbox.queuedBytes).to.equal(queued);
  });

  describe('notes how long bytes had no credit', () => {
    const starving = async () => {
      const { clock, pipe, writer } = writing();
      const outbox = new Outbox(
        1,
        () => 64 * 1024,
        () => {},
      );
      const push = async (bytes: number) => {
        outbox.pushData(new Uint8Array(bytes));
        writer.wake(outbox);
        await turn();
        pipe.take();
      };
      const credit = async (bytes: number) => {
        writer.credited(outbox, bytes);
        await turn();
        pipe.take();
      };
      return { clock, writer, outbox, push, credit };
    };

    it('from the last byte that had some to the next credit', async () => {
      const { clock, writer, push, credit } = await starving();
      await push(INITIAL_WINDOW_BYTES + 100);
      clock.advance(3_000);
      await push(100);
      clock.advance(1_000);
      await credit(1);
      expect(writer.starvedMs).to.equal(4_000);
      clock.advance(500);
      await credit(10_000);
      expect(writer.starvedMs).to.equal(4_500);
      clock.advance(9_000);
      await credit(10_000);
      expect(writer.starvedMs, 'while nothing was left').to.equal(4_500);
    });

    it('from when bytes came, where there were none and no credit', async () => {
      const { clock, writer, push, credit } = await starving();
      await push(INITIAL_WINDOW_BYTES);
      clock.advance(60_000);
      await push(1);
      clock.advance(250);
      await push(1);
      await credit(5);
      expect(writer.starvedMs).to.equal(250);
    });

    it('up to the end of the stream that never got any, once', async () => {
      const { clock, writer, outbox, push } = await starving();
      await push(INITIAL_WINDOW_BYTES + 1);
      clock.advance(10_000);
      outbox.clear();
      writer.remove(1, outbox);
      expect(writer.starvedMs).to.equal(10_000);
    });

    it('not of bytes that wait for the connection only', async () => {
      const { clock, writer } = writing();
      const outbox = body(writer, 1, 1_000_000);
      await turn();
      clock.advance(10_000);
      writer.credited(outbox, 1);
      writer.remove(1, outbox);
      expect(writer.starvedMs).to.equal(0);
    });
  });
});
