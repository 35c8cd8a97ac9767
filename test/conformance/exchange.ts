import { expect } from 'chai';
import { Budget } from '../../tunnel/flow/budget.ts';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import {
  AgentEnd,
  type EndOptions,
  expectNothingLeft,
  GatewayEnd,
  GET,
  greetedByStranger,
  type Line,
  OK,
} from './harness.ts';

/** Two ends that have greeted each other. */
export async function joined(pair: () => Promise<Line>, forAgent: EndOptions = {}, forGateway: EndOptions = {}) {
  const line = await pair();
  const gateway = new GatewayEnd(line.gateway, forGateway);
  const agent = new AgentEnd(line.agent, forAgent);
  await line.settle();
  return { line, gateway, agent };
}

/** Requests and answers, cancellation, slots. */
export function describeExchange(pair: () => Promise<Line>): void {
  describe('exchange', () => {
    it('carries head, body and end both ways, and forgets the stream', async () => {
      const { line, gateway, agent } = await joined(pair);
      agent.serve = (owner) => {
        owner.onChunk = (chunk) => owner.stream.write(Buffer.from(chunk));
        owner.stream.sendHead(OK);
      };
      const owner = gateway.open({ method: 'POST' });
      owner.stream.write(Buffer.from('hello '));
      owner.stream.write(Buffer.from('world'));
      owner.stream.end();
      await line.settle();
      expect(agent.heads).to.deep.equal([{ ...GET, method: 'POST' }]);
      expect([agent.last.text, agent.last.ends]).to.deep.equal(['hello world', 1]);
      expect([owner.heads, owner.text, owner.ends]).to.deep.equal([[OK], 'hello world', 0]);
      agent.last.stream.end();
      await line.settle();
      expect([owner.ends, owner.closes, agent.last.closes]).to.deep.equal([1, 1, 1]);
      expect([gateway.gateway.session.counts.streams, agent.agent.session.counts.streams]).to.deep.equal([0, 0]);
      expect([gateway.budget.usedBytes, agent.budget.usedBytes]).to.deep.equal([0, 0]);
    });

    it('ends a request without a body with its OPEN', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({}, true);
      await line.settle();
      expect(agent.last.ends).to.equal(1);
      agent.last.stream.sendHead({ status: 204, headers: [] });
      agent.last.stream.end();
      await line.settle();
      expect([owner.ends, owner.closes, agent.last.closes]).to.deep.equal([1, 1, 1]);
    });

    it('carries trailers after the body', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({}, true);
      await line.settle();
      agent.last.stream.sendHead(OK);
      agent.last.stream.write(Buffer.from('x'));
      agent.last.stream.end(['Grpc-Status', '0']);
      await line.settle();
      expect([owner.text, owner.trailers, owner.closes]).to.deep.equal(['x', ['Grpc-Status', '0'], 1]);
    });

    it('hands over every 1xx head before the final one', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({}, true);
      await line.settle();
      for (const status of [100, 103, 103, 200]) agent.last.stream.sendHead({ status, headers: [] });
      agent.last.stream.end();
      await line.settle();
      expect(owner.heads.map(({ status }) => status)).to.deep.equal([100, 103, 103, 200]);
      expect(owner.closes).to.equal(1);
    });

    it('lets an answer overtake the body of its request, which still flows', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({ method: 'POST' });
      owner.stream.write(Buffer.from('first'));
      await line.settle();
      agent.last.stream.sendHead(OK);
      agent.last.stream.end();
      await line.settle();
      expect([owner.ends, owner.closes], 'answered, not closed').to.deep.equal([1, 0]);
      owner.stream.write(Buffer.from(' second'));
      owner.stream.end();
      await line.settle();
      expect([agent.last.text, agent.last.closes, owner.closes]).to.deep.equal(['first second', 1, 1]);
    });

    it('carries raw bytes both ways after 101, and each half ends alone', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({ isUpgrade: true, isLongRunning: true });
      await line.settle();
      expect(agent.heads[0]).to.include({ isUpgrade: true, isLongRunning: true });
      agent.last.stream.sendHead({ status: 101, headers: ['Upgrade', 'websocket'] });
      agent.last.stream.write(Buffer.from([0, 255]));
      owner.stream.write(Buffer.from([1, 254]));
      owner.stream.end();
      await line.settle();
      expect([owner.text, agent.last.text, agent.last.ends]).to.deep.equal(['\x00\xff', '\x01\xfe', 1]);
      agent.last.stream.write(Buffer.from('late'));
      agent.last.stream.end();
      await line.settle();
      expect([owner.text, owner.closes, agent.last.closes]).to.deep.equal(['\x00\xfflate', 1, 1]);
    });

    it('resets a stream from the gateway: the agent learns the code', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open();
      await line.settle();
      owner.stream.reset(ErrorCode.Cancel, 'the client went away');
      expect([owner.closes, owner.errors.length]).to.deep.equal([1, 0]);
      await line.settle();
      expect(agent.last.error).to.include({ code: ErrorCode.Cancel, origin: 'remote', detail: 'the client went away' });
      expect(agent.last.closes).to.equal(1);
      expect([gateway.budget.usedBytes, agent.budget.usedBytes]).to.deep.equal([0, 0]);
    });

    it('resets a stream from the agent: the gateway does not know whether it ran', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open();
      await line.settle();
      agent.last.stream.reset(ErrorCode.UpstreamReset, 'ECONNRESET');
      await line.settle();
      expect(owner.error).to.include({ code: ErrorCode.UpstreamReset, execution: 'unknown' });
      expect(owner.closes).to.equal(1);
    });

    it('answers a reset with nothing, also when the owner resets in its error handler', async () => {
      const { line, gateway, stranger } = await greetedByStranger(pair);
      const owner = gateway.open();
      owner.onError = (error) => {
        owner.errors.push(error);
        owner.stream.reset(ErrorCode.Cancel);
      };
      await line.settle();
      stranger.say({ type: FrameType.Reset, streamId: 1, code: ErrorCode.Internal, detail: '' });
      await line.settle();
      expect([owner.errors.length, owner.closes]).to.deep.equal([1, 1]);
      expect(stranger.all(FrameType.Reset)).to.deep.equal([]);
    });

    it('sends nothing for a stream that was reset before its OPEN was written, and has its slot back', async () => {
      const { line, gateway, stranger } = await greetedByStranger(pair);
      const owner = gateway.open();
      expect(gateway.gateway.freeSlots('ordinary')).to.equal(7);
      owner.stream.reset(ErrorCode.Cancel);
      await line.settle();
      expect(gateway.gateway.freeSlots('ordinary')).to.equal(8);
      expect(gateway.slotNews, 'who waits for a slot is told').to.equal(1);
      expect([stranger.all(FrameType.Open), stranger.all(FrameType.Reset)]).to.deep.equal([[], []]);
      gateway.open();
      await line.settle();
      expect(
        stranger.all(FrameType.Open).map(({ streamId }) => streamId),
        'ids are not reused',
      ).to.deep.equal([2]);
    });

    it('tells a refused request from one that may have run', async () => {
      const { line, gateway, agent } = await joined(pair);
      agent.serve = (owner) => owner.stream.refuse(ErrorCode.PolicyDenied, 'incomplete identity');
      const owner = gateway.open({}, true);
      await line.settle();
      expect(owner.error).to.include({ code: ErrorCode.PolicyDenied, execution: 'not-executed' });
      expect([owner.closes, agent.last.closes]).to.deep.equal([1, 1]);
    });

    it('opens no stream beyond the announced slots, pool by pool, until SLOTS adds some', async () => {
      const { line, gateway, agent } = await joined(pair, { hello: { slots: { ordinary: 1, longRunning: 1 } } });
      gateway.open();
      expect(gateway.gateway.open(GET, false), 'ordinary').to.equal(undefined);
      gateway.open({ isLongRunning: true });
      expect(gateway.gateway.open({ ...GET, isLongRunning: true }, false), 'long-running').to.equal(undefined);
      await line.settle();
      agent.announce({ ordinary: 1 });
      agent.announce({ ordinary: 1 });
      await line.settle();
      expect([gateway.slotNews, gateway.gateway.freeSlots('ordinary')], 'coalesced').to.deep.equal([1, 2]);
      gateway.open();
      gateway.open();
      expect(gateway.gateway.hasRoom('ordinary')).to.equal(false);
      await line.settle();
      expect(agent.owners).to.have.length(4);
    });

    it('refuses what exceeds the budget of the agent, and the slot is not lost', async () => {
      const { line, gateway, agent } = await joined(pair, { budget: new Budget(16 * 1024) });
      gateway.open();
      const refused = gateway.open();
      await line.settle();
      expect(refused.error).to.include({ code: ErrorCode.Overload, execution: 'not-executed' });
      expect(agent.owners).to.have.length(1);
      expect(gateway.gateway.freeSlots('ordinary'), 'only the running one holds a slot').to.equal(7);
    });

    it('refuses streams beyond the bound of the agent, and the slot is not lost', async () => {
      const { line, gateway } = await joined(pair, { settings: { maxStreams: 1 } });
      gateway.open({ isLongRunning: true });
      const refused = gateway.open({ isLongRunning: true });
      await line.settle();
      expect(refused.error).to.include({ code: ErrorCode.Overload, execution: 'not-executed' });
      expect(gateway.gateway.freeSlots('longRunning')).to.equal(7);
    });

    it('opens no stream without a reserve in its own budget, and loses no slot over it', async () => {
      const { gateway } = await joined(pair, {}, { budget: new Budget(16 * 1024) });
      gateway.open();
      expect(gateway.gateway.open(GET, false)).to.equal(undefined);
      expect(gateway.gateway.freeSlots('ordinary')).to.equal(7);
    });

    it('throws for a request head that cannot be sent before anything is taken for it', async () => {
      const { gateway } = await joined(pair);
      expect(() =>
        gateway.gateway.open({ ...GET, headers: ['a', 'x'.repeat(65_000), 'b', 'x'.repeat(30_000)] }, true),
      ).to.throw(RangeError);
      expect([gateway.budget.usedBytes, gateway.gateway.freeSlots('ordinary')]).to.deep.equal([0, 8]);
    });

    const strangeAnswers: readonly (readonly [sentence: string, status: number, headers: readonly string[]])[] = [
      ['an oversize head', 200, ['a', 'x'.repeat(65_000), 'b', 'x'.repeat(30_000)]],
      ['too many header lines', 200, Array(402).fill('x')],
      ['a status that is none', 999, []],
    ];
    for (const [sentence, status, headers] of strangeAnswers) {
      it(`loses one stream, not the session, when the upstream answers with ${sentence}`, async () => {
        const { line, gateway, agent } = await joined(pair);
        const [owner, other] = [gateway.open({}, true), gateway.open({}, true)];
        await line.settle();
        const [served] = agent.owners;
        served?.stream.sendHead({ status, headers });
        await line.settle();
        expect(owner.error.code).to.equal(ErrorCode.UpstreamProtocol);
        expect(served?.error).to.include({ code: ErrorCode.UpstreamProtocol, origin: 'local' });
        expect([other.closes, gateway.ends.length, agent.ends.length]).to.deep.equal([0, 0, 0]);
      });
    }

    it('loses one stream, not the session, over trailers that cannot be sent', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open({}, true);
      await line.settle();
      agent.last.stream.sendHead(OK);
      agent.last.stream.end(['Grpc-Message', 'caf\u0165']);
      await line.settle();
      expect(owner.error.code).to.equal(ErrorCode.UpstreamProtocol);
      expect([owner.closes, agent.last.closes, gateway.ends.length]).to.deep.equal([1, 1, 0]);
    });

    it('carries HEALTH and CONFIG', async () => {
      const { line, gateway, agent } = await joined(pair);
      agent.agent.health({ k8s_healthy: true });
      gateway.gateway.configure({ generation: 3 });
      await line.settle();
      expect([gateway.healths, agent.configs]).to.deep.equal([[{ k8s_healthy: true }], [{ generation: 3 }]]);
    });

    it('leaves nothing behind when both say goodbye after many exchanges', async () => {
      const { line, gateway, agent } = await joined(pair);
      agent.serve = (owner) => {
        owner.stream.sendHead(OK);
        owner.stream.write(Buffer.alloc(30_000));
        owner.stream.end();
      };
      const owners = Array.from({ length: 8 }, () => gateway.open({}, true));
      await line.settle();
      expect(owners.map(({ bytes, closes }) => [bytes, closes])).to.deep.equal(Array(8).fill([30_000, 1]));
      gateway.gateway.session.close(ErrorCode.None, 'done');
      await line.settle();
      expectNothingLeft(gateway, agent);
    });
  });
}
