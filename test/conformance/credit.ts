import { expect } from 'chai';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import { joined } from './exchange.ts';
import { expectNothingLeft, greetedByStranger, type Line, OK } from './harness.ts';

const INITIAL = 16 * 1024;

/** Who may send how much, and what a reader that stands still costs. */
export function describeCredit(pair: () => Promise<Line>): void {
  describe('credit', () => {
    it('ends the session with FLOW_CONTROL when the peer overruns its credit', async () => {
      const { line, gateway, stranger } = await greetedByStranger(pair);
      const owner = gateway.open();
      owner.isReading = false;
      await line.settle();
      stranger.say({ type: FrameType.Head, streamId: 1, isEnd: false, head: OK });
      stranger.say({ type: FrameType.Data, streamId: 1, isEnd: false, data: new Uint8Array(INITIAL) });
      await line.settle();
      expect([owner.bytes, gateway.ends.length]).to.deep.equal([INITIAL, 0]);
      stranger.say({ type: FrameType.Data, streamId: 1, isEnd: false, data: new Uint8Array(1) });
      await line.settle();
      expect(gateway.end.code).to.equal(ErrorCode.FlowControl);
      expect(stranger.all(FrameType.Goaway)[0]?.document).to.include({ code: ErrorCode.FlowControl });
      expectNothingLeft(gateway);
    });

    it('ends the session with FLOW_CONTROL when credit passes 2^31-1', async () => {
      const { line, gateway, stranger } = await greetedByStranger(pair);
      gateway.open();
      await line.settle();
      stranger.say({ type: FrameType.Window, streamId: 1, creditBytes: 2 ** 31 - 1 });
      await line.settle();
      expect(gateway.end.code).to.equal(ErrorCode.FlowControl);
    });

    it('returns credit when bytes are consumed, not when they arrive', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({}, true);
      owner.isReading = false;
      await line.settle();
      const { stream } = agent.last;
      stream.sendHead(OK);
      expect(stream.write(Buffer.alloc(100_000)), 'asked to pause').to.equal(false);
      await line.settle();
      expect([owner.bytes, stream.outbox.queuedBytes]).to.deep.equal([INITIAL, 100_000 - INITIAL]);
      owner.stream.consume(INITIAL / 4 - 1);
      await line.settle();
      expect(owner.bytes, 'less than a quarter is not worth a frame').to.equal(INITIAL);
      owner.stream.consume(1);
      await line.settle();
      expect(owner.bytes).to.equal(INITIAL + INITIAL / 4);
    });

    it('tells a paused writer to go on, once', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({}, true);
      await line.settle();
      const served = agent.last;
      served.stream.sendHead(OK);
      expect(served.stream.write(Buffer.alloc(64 * 1024))).to.equal(false);
      await line.settle();
      expect([served.drains, owner.bytes]).to.deep.equal([1, 64 * 1024]);
    });

    it('lets a stream whose reader stands still cost the others nothing', async () => {
      const { line, gateway, agent } = await joined(pair);
      agent.serve = (owner) => {
        owner.stream.sendHead(OK);
        owner.stream.write(Buffer.alloc(400_000, owner.stream.id));
        owner.stream.end();
      };
      const stalled = gateway.open({}, true);
      stalled.isReading = false;
      const others = [gateway.open({}, true), gateway.open({}, true)];
      await line.settle();
      expect(others.map(({ bytes, closes }) => [bytes, closes])).to.deep.equal([
        [400_000, 1],
        [400_000, 1],
      ]);
      expect([stalled.bytes, stalled.closes]).to.deep.equal([INITIAL, 0]);
      expect(gateway.gateway.session.counts.bufferedBytes).to.equal(INITIAL);
      stalled.isReading = true;
      stalled.read();
      await line.settle();
      expect([stalled.bytes, stalled.closes]).to.deep.equal([400_000, 1]);
    });

    it('keeps the reserve of a finished stream until its bytes were consumed', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({}, true);
      owner.isReading = false;
      await line.settle();
      agent.last.stream.sendHead(OK);
      agent.last.stream.write(Buffer.alloc(10_000));
      agent.last.stream.end();
      await line.settle();
      expect([owner.closes, gateway.budget.usedBytes]).to.deep.equal([1, INITIAL]);
      owner.read();
      expect(gateway.budget.usedBytes).to.equal(0);
    });

    it('gives the reserve of a finished stream back when its owner drops the bytes', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({}, true);
      owner.isReading = false;
      await line.settle();
      agent.last.stream.sendHead(OK);
      agent.last.stream.write(Buffer.alloc(10_000));
      agent.last.stream.end();
      await line.settle();
      owner.stream.reset(ErrorCode.Cancel, 'the client went away');
      expect(gateway.budget.usedBytes).to.equal(0);
      owner.stream.consume(10_000);
      expect(gateway.budget.usedBytes, 'late reading changes nothing').to.equal(0);
    });

    it('gives reserve and growth back when the session dies with bytes nobody consumed', async () => {
      const { line, gateway, agent } = await joined(pair);
      agent.serve = (served) => {
        served.stream.sendHead(OK);
        served.stream.write(Buffer.alloc(2_000_000));
      };
      const owners = [gateway.open({}, true), gateway.open({}, true)];
      for (const owner of owners) owner.onChunk = () => (owner.isReading = owner.bytes < 1_000_000);
      await line.settle();
      expect(gateway.budget.usedBytes, 'windows have grown').to.be.above(2 * INITIAL);
      line.drop();
      await line.settle();
      expectNothingLeft(gateway, agent);
    });
  });
}
