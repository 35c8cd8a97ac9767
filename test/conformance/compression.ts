import { deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import type { StreamError } from '../../tunnel/errors.ts';
import { InflatedStream } from '../../tunnel/session/inflated-stream.ts';
import { INFLATER_BYTES, MAX_AHEAD_BYTES } from '../../tunnel/session/inflater.ts';
import { DEFLATE } from '../../tunnel/session/settings.ts';
import type { StreamEvents } from '../../tunnel/session/stream.ts';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import type { RawHeaders, ResponseHead } from '../../tunnel/wire/head.ts';
import { INITIAL_WINDOW_BYTES } from '../../tunnel/wire/limits.ts';
import { podList } from '../support/pod-list.ts';
import { turns, until } from '../support/turns.ts';
import { AgentEnd, expectNothingLeft, GatewayEnd, GET, type Line, OK, Stranger } from './harness.ts';

const STALL_MS = 10_000;
/** zlib works beside us: a machine that is busy elsewhere must not fail these tests. */
const BUSY_MACHINE_MS = 30_000;
const DEFLATED_OK: ResponseHead = { ...OK, isDeflated: true };
const LIST = podList(100_000);

/** An owner who reads an answer as if it had never been deflated. */
class Reader implements StreamEvents {
  readonly stream: InflatedStream;
  readonly heads: ResponseHead[] = [];
  readonly chunks: Buffer[] = [];
  readonly trailers: RawHeaders[] = [];
  readonly errors: StreamError[] = [];
  closes = 0;
  isReading = true;
  untakenBytes = 0;

  constructor({ gateway, budget, clock }: GatewayEnd) {
    const stream = gateway.open(GET, true);
    if (stream === undefined) throw new Error('no room for a stream');
    this.stream = new InflatedStream(stream, { budget, clock, stallMs: STALL_MS });
    this.stream.attach(this);
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Takes what waits. */
  read(): void {
    const bytes = this.untakenBytes;
    this.untakenBytes = 0;
    this.stream.consume(bytes);
  }

  onHead(head: ResponseHead): void {
    this.#alive();
    this.heads.push(head);
  }

  onData(chunk: Uint8Array): void {
    this.#alive();
    this.chunks.push(Buffer.from(chunk));
    this.untakenBytes += chunk.length;
    if (this.isReading) this.read();
  }

  onEnd(trailers: RawHeaders): void {
    this.#alive();
    this.trailers.push(trailers);
  }

  onError(error: StreamError): void {
    this.#alive();
    this.errors.push(error);
  }

  onDrain(): void {
    this.#alive();
  }

  onClose(): void {
    this.#alive();
    this.closes += 1;
  }

  #alive(): void {
    expect(this.closes, 'nothing is called after onClose').to.equal(0);
  }
}

/** A gateway with one open request, and the agent that may deflate its answer. */
async function asked(pair: () => Promise<Line>, features: readonly string[] = [DEFLATE]) {
  const line = await pair();
  const gateway = new GatewayEnd(line.gateway);
  const agent = new Stranger(line.agent);
  agent.hello({ features });
  await line.settle();
  const reader = new Reader(gateway);
  await line.settle();
  const answer = (head: ResponseHead, isEnd = false) => agent.say({ type: FrameType.Head, streamId: 1, isEnd, head });
  const data = (bytes: Uint8Array, isEnd = false) =>
    agent.say({ type: FrameType.Data, streamId: 1, isEnd, data: bytes });
  const done = async () => {
    gateway.gateway.session.close(ErrorCode.None, 'done');
    await line.settle();
    expectNothingLeft(gateway);
  };
  return { line, gateway, agent, reader, answer, data, done };
}

/** The feature `deflate`, and bodies that are deflated on the wire. */
export function describeCompression(pair: () => Promise<Line>): void {
  describe('compression', function () {
    this.timeout(BUSY_MACHINE_MS);

    for (const [offers, isChosen] of [
      [[DEFLATE], true],
      [[], false],
    ] as const) {
      it(`${isChosen ? 'is' : 'is not'} chosen when the agent offers [${offers.join()}]`, async () => {
        const line = await pair();
        const [gateway, agent] = [
          new GatewayEnd(line.gateway),
          new AgentEnd(line.agent, { hello: { features: offers } }),
        ];
        await line.settle();
        expect(agent.readies[0]?.features).to.deep.equal(offers);
        expect(agent.agent.hasFeature(DEFLATE)).to.equal(isChosen);
        agent.agent.session.close(ErrorCode.None, 'done');
        await line.settle();
        expectNothingLeft(gateway, agent);
      });
    }

    it('is nothing that a gateway can choose for an agent that did not offer it', async () => {
      const line = await pair();
      const agent = new AgentEnd(line.agent);
      const stranger = new Stranger(line.gateway);
      const document = { version: 1, features: [DEFLATE], sessionId: 's', replicaId: 'r', gatewayVersion: '9' };
      stranger.say({ type: FrameType.Welcome, document });
      await line.settle();
      expect(agent.readies).to.have.length(1);
      expect(agent.agent.hasFeature(DEFLATE)).to.equal(false);
      agent.agent.session.close(ErrorCode.None, 'done');
      await line.settle();
    });

    it('DEFLATED without the feature ends the session with PROTOCOL', async () => {
      const { line, gateway, reader, answer } = await asked(pair, []);
      answer(DEFLATED_OK);
      await line.settle();
      expect(gateway.end.code).to.equal(ErrorCode.Protocol);
      expect(reader.errors.map(({ code }) => code)).to.deep.equal([ErrorCode.SessionLost]);
      expectNothingLeft(gateway);
    });

    it('gives the owner head, body and trailers as they were before', async () => {
      const { agent, reader, answer, data, done } = await asked(pair);
      const wire = deflateRawSync(LIST);
      answer({ status: 103, headers: [] });
      answer(DEFLATED_OK);
      for (let at = 0; at < wire.length; at += 777) data(wire.subarray(at, at + 777));
      agent.say({ type: FrameType.Trailers, streamId: 1, trailers: ['X-Sum', '1'] });
      await until(() => reader.closes === 1);
      expect(reader.heads).to.deep.equal([{ status: 103, headers: [] }, OK]);
      expect(reader.body.equals(LIST)).to.equal(true);
      expect([reader.trailers, reader.errors]).to.deep.equal([[['X-Sum', '1']], []]);
      await done();
    });

    it('credit goes back when what a frame held was taken, and 64 KiB at most are inflated before', async () => {
      const { line, gateway, agent, reader, answer, data, done } = await asked(pair);
      reader.isReading = false;
      const wire = deflateRawSync(Buffer.alloc(16 * 1024 * 1024));
      expect(wire.length).to.be.within(INITIAL_WINDOW_BYTES / 2, INITIAL_WINDOW_BYTES);
      answer(DEFLATED_OK);
      data(wire);
      await until(() => reader.untakenBytes >= MAX_AHEAD_BYTES / 2);
      await turns();
      expect(reader.untakenBytes).to.be.at.most(MAX_AHEAD_BYTES);
      expect(gateway.gateway.session.counts.bufferedBytes, 'wire bytes').to.equal(wire.length);
      for (let readBytes = 0; readBytes < 2 * 1024 * 1024; ) {
        await until(() => reader.untakenBytes > 0);
        readBytes += reader.untakenBytes;
        reader.read();
      }
      await line.settle();
      expect(agent.all(FrameType.Window), 'an eighth was taken').to.have.length(0);
      expect(gateway.gateway.session.counts.bufferedBytes).to.be.within(wire.length * 0.7, wire.length);
      reader.isReading = true;
      reader.read();
      await until(() => gateway.gateway.session.counts.bufferedBytes === 0);
      await line.settle();
      const creditBytes = agent.all(FrameType.Window).reduce((sum, frame) => sum + frame.creditBytes, 0);
      expect(creditBytes).to.be.above(wire.length / 2);
      reader.stream.reset(ErrorCode.Cancel);
      await done();
    });

    const whole = deflateRawSync(Buffer.from('{"items":[]}'));
    for (const [what, parts] of [
      ['is cut', [whole.subarray(0, -1)]],
      ['is empty', []],
      ['is no DEFLATE stream', [Buffer.from('{"items":[]}')]],
      ['has bytes behind its end', [whole, Buffer.from('x')]],
    ] as const) {
      it(`a body that ${what} ends the stream with UPSTREAM_PROTOCOL, and only the stream`, async () => {
        const { line, gateway, agent, reader, answer, data, done } = await asked(pair);
        answer(DEFLATED_OK);
        for (const part of parts) data(part);
        data(new Uint8Array(0), true);
        await until(() => reader.closes === 1);
        expect(reader.errors.map(({ code, origin }) => [code, origin])).to.deep.equal([
          [ErrorCode.UpstreamProtocol, 'local'],
        ]);
        expect(reader.trailers, 'no end').to.deep.equal([]);
        expect(gateway.budget.usedBytes).to.equal(0);
        expect(gateway.gateway.session.state).to.equal('open');
        await line.settle();
        expect(agent.closeReason).to.equal(undefined);
        await done();
      });
    }

    it('a body that is broken before its end is reset at the agent too', async () => {
      const { line, agent, reader, answer, data, done } = await asked(pair);
      answer(DEFLATED_OK);
      data(Buffer.alloc(100, 0xff));
      await until(() => reader.closes === 1);
      await line.settle();
      expect(agent.all(FrameType.Reset).map(({ code }) => code)).to.deep.equal([ErrorCode.UpstreamProtocol]);
      await done();
    });

    for (const head of [
      { status: 103, headers: [] },
      { status: 101, headers: [] },
    ]) {
      it(`DEFLATED on a head ${head.status} ends the stream with UPSTREAM_PROTOCOL`, async () => {
        const { reader, answer, done } = await asked(pair);
        answer({ ...head, isDeflated: true });
        await until(() => reader.closes === 1);
        expect([reader.heads, reader.errors.map(({ code }) => code)]).to.deep.equal([[], [ErrorCode.UpstreamProtocol]]);
        await done();
      });
    }

    it('an answer for which no memory is left ends with OVERLOAD before its head is heard', async () => {
      const { gateway, reader, answer, done } = await asked(pair);
      gateway.budget.limitBytes = gateway.budget.usedBytes + INFLATER_BYTES - 1;
      answer(DEFLATED_OK);
      await until(() => reader.closes === 1);
      expect([reader.heads, reader.errors.map(({ code }) => code)]).to.deep.equal([[], [ErrorCode.Overload]]);
      await done();
    });

    it('an owner who resets hears nothing more, and everything is given back', async () => {
      const { line, gateway, agent, reader, answer, data, done } = await asked(pair);
      reader.isReading = false;
      answer(DEFLATED_OK);
      data(deflateRawSync(Buffer.alloc(4 * 1024 * 1024)));
      await until(() => reader.untakenBytes > 0);
      reader.stream.reset(ErrorCode.Cancel);
      expect([reader.closes, gateway.budget.usedBytes]).to.deep.equal([1, 0]);
      reader.read();
      await turns();
      await line.settle();
      expect(agent.all(FrameType.Reset).map(({ code }) => code)).to.deep.equal([ErrorCode.Cancel]);
      await done();
    });

    it('a session that is lost half-way is an error, and everything is given back', async () => {
      const { line, gateway, reader, answer, data } = await asked(pair);
      reader.isReading = false;
      answer(DEFLATED_OK);
      data(deflateRawSync(Buffer.alloc(4 * 1024 * 1024)));
      await until(() => reader.untakenBytes > 0);
      line.drop();
      await line.settle();
      expect(reader.errors.map(({ code }) => code)).to.deep.equal([ErrorCode.SessionLost]);
      reader.read();
      await turns();
      expectNothingLeft(gateway);
    });

    describe('an answer whose frames have all come', () => {
      const complete = async () => {
        const parts = await asked(pair);
        const { gateway, reader, answer, data } = parts;
        reader.isReading = false;
        answer(DEFLATED_OK);
        data(deflateRawSync(Buffer.alloc(1024 * 1024)), true);
        await until(() => reader.untakenBytes > 0 && gateway.gateway.session.counts.streams === 0);
        return parts;
      };

      it('is read to its end, whatever becomes of the session', async () => {
        const { line, gateway, reader } = await complete();
        line.drop();
        await line.settle();
        expect([reader.errors, reader.closes]).to.deep.equal([[], 0]);
        reader.isReading = true;
        reader.read();
        await until(() => reader.closes === 1);
        expect([reader.body.length, reader.trailers]).to.deep.equal([1024 * 1024, [[]]]);
        expectNothingLeft(gateway);
      });

      it('gives everything back when its owner resets', async () => {
        const { gateway, reader, done } = await complete();
        reader.stream.reset(ErrorCode.Cancel);
        expect([reader.closes, gateway.budget.usedBytes]).to.deep.equal([1, 0]);
        await done();
      });

      it('is given up when nobody takes any of it for timeouts.backpressure', async () => {
        const { gateway, reader, done } = await complete();
        gateway.clock.advance(STALL_MS - 1);
        reader.read();
        await until(() => reader.untakenBytes > 0);
        gateway.clock.advance(1);
        expect(reader.errors, 'something was taken').to.deep.equal([]);
        gateway.clock.advance(STALL_MS);
        expect(reader.errors.map(({ code }) => code)).to.deep.equal([ErrorCode.Backpressure]);
        expect([reader.closes, gateway.budget.usedBytes]).to.deep.equal([1, 0]);
        await done();
      });
    });
  });
}
