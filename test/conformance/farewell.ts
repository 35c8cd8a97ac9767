import { expect } from 'chai';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import { joined } from './exchange.ts';
import { AgentEnd, expectNothingLeft, GatewayEnd, GET, greetedByStranger, type Line, OK } from './harness.ts';

/** GOAWAY, draining, lost sessions, silence: what is known about each request afterwards. */
export function describeFarewell(pair: () => Promise<Line>): void {
  describe('farewell', () => {
    for (const leaver of ['agent', 'gateway'] as const) {
      it(`lets running streams finish when the ${leaver} drains, then closes`, async () => {
        const { line, gateway, agent } = await joined(pair);
        const owner = gateway.open();
        await line.settle();
        const { session } = leaver === 'agent' ? agent.agent : gateway.gateway;
        session.drain(ErrorCode.Draining, 'rolling update');
        await line.settle();
        const heard = leaver === 'agent' ? gateway.leavings : agent.leavings;
        expect(heard).to.deep.equal([{ lastStreamId: 1, code: ErrorCode.Draining, reason: 'rolling update' }]);
        expect(gateway.gateway.open(GET, true), 'no new streams').to.equal(undefined);
        agent.last.stream.sendHead(OK);
        agent.last.stream.end();
        owner.stream.end();
        await line.settle();
        expect([owner.closes, owner.errors.length, agent.last.errors.length]).to.deep.equal([1, 0, 0]);
        expect([gateway.end.code, agent.end.code]).to.deep.equal([ErrorCode.Draining, ErrorCode.Draining]);
        expect([gateway.end.reason, agent.end.reason]).to.deep.equal(['rolling update', 'rolling update']);
        expectNothingLeft(gateway, agent);
      });

      it(`closes at once when the ${leaver} drains and nothing runs`, async () => {
        const { line, gateway, agent } = await joined(pair);
        const { session } = leaver === 'agent' ? agent.agent : gateway.gateway;
        session.drain(ErrorCode.Draining, 'bye');
        await line.settle();
        expectNothingLeft(gateway, agent);
      });
    }

    it('knows that streams beyond the last one the agent saw were not executed', async () => {
      const { line, gateway, stranger } = await greetedByStranger(pair);
      const owners = [gateway.open(), gateway.open(), gateway.open()];
      await line.settle();
      const document = { lastStreamId: 1, code: ErrorCode.Draining, reason: 'bye' };
      stranger.say({ type: FrameType.Goaway, document });
      await line.settle();
      expect(owners.map(({ closes }) => closes)).to.deep.equal([0, 1, 1]);
      expect(owners.slice(1).map(({ error }) => error.execution)).to.deep.equal(['not-executed', 'not-executed']);
      line.drop();
      await line.settle();
      expect(owners[0]?.error.execution).to.equal('unknown');
      expectNothingLeft(gateway);
    });

    it('does not believe a GOAWAY that denies a stream which was answered', async () => {
      const { line, gateway, stranger } = await greetedByStranger(pair);
      const owner = gateway.open();
      await line.settle();
      stranger.say({ type: FrameType.Head, streamId: 1, isEnd: false, head: OK });
      stranger.say({ type: FrameType.Goaway, document: { lastStreamId: 0, code: 0, reason: '' } });
      await line.settle();
      expect(owner.error.execution, 'unknown is never taken for unseen').to.equal('unknown');
    });

    it('refuses what was under way when the agent began to drain: certainly not executed', async () => {
      const { line, gateway, agent } = await joined(pair);
      gateway.open();
      await line.settle();
      agent.agent.session.drain(ErrorCode.Draining, 'bye');
      const late = gateway.open();
      await line.settle();
      expect(late.error.execution).to.equal('not-executed');
      expect(agent.owners).to.have.length(1);
      expect([gateway.ends.length, agent.ends.length], 'the running stream keeps the session').to.deep.equal([0, 0]);
    });

    it('still serves what the gateway opened before it began to drain', async () => {
      const { line, gateway, agent } = await joined(pair);
      agent.serve = (served) => {
        served.stream.sendHead(OK);
        served.stream.end();
      };
      const owner = gateway.open({ method: 'POST' }, true);
      gateway.gateway.session.drain(ErrorCode.Draining, 'rolling update');
      await line.settle();
      expect([owner.errors, owner.ends, owner.closes]).to.deep.equal([[], 1, 1]);
      expectNothingLeft(gateway, agent);
    });

    it('still drains when what was opened last was taken back before it was written', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open();
      await line.settle();
      gateway.open().stream.reset(ErrorCode.Cancel);
      gateway.gateway.session.drain(ErrorCode.Draining, 'bye');
      owner.stream.reset(ErrorCode.Cancel);
      await line.settle();
      expectNothingLeft(gateway, agent);
    });

    it('sends the reset of the last stream before it closes', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open();
      await line.settle();
      gateway.gateway.session.drain(ErrorCode.Draining, 'bye');
      owner.stream.reset(ErrorCode.Cancel, 'the client went away');
      await line.settle();
      expect(agent.last.error.code).to.equal(ErrorCode.Cancel);
      expectNothingLeft(gateway, agent);
    });

    it('knows after a lost session which requests never left, and guesses about none', async () => {
      const { line, gateway, agent } = await joined(pair);
      const sent = gateway.open({}, true);
      await line.settle();
      const unsent = gateway.open({}, true);
      line.drop();
      await line.settle();
      expect([sent.error.execution, unsent.error.execution]).to.deep.equal(['unknown', 'not-executed']);
      expect([sent.error.code, unsent.error.code]).to.deep.equal([ErrorCode.SessionLost, ErrorCode.SessionLost]);
      expect(agent.last.error.code).to.equal(ErrorCode.SessionLost);
      expectNothingLeft(gateway, agent);
    });

    it('does not write waiting requests in its last words: they stay not executed', async () => {
      const { line, gateway, stranger } = await greetedByStranger(pair);
      const owner = gateway.open({}, true);
      gateway.gateway.session.close(ErrorCode.Revoked, 'the tunnel was deleted');
      await line.settle();
      expect(stranger.all(FrameType.Open)).to.deep.equal([]);
      expect(stranger.all(FrameType.Goaway)[0]?.document).to.include({ code: ErrorCode.Revoked });
      expect(owner.error.execution).to.equal('not-executed');
    });

    it('tells the peer why a session was closed', async () => {
      const { line, gateway, agent } = await joined(pair);
      gateway.gateway.session.close(ErrorCode.Replaced, 'a newer session took over');
      await line.settle();
      const end = { code: ErrorCode.Replaced, reason: 'a newer session took over' };
      expect([gateway.end, agent.end]).to.deep.equal([end, end]);
      expectNothingLeft(gateway, agent);
    });

    it('is deaf and mute after the end', async () => {
      const { line, gateway, agent } = await joined(pair);
      const owner = gateway.open();
      await line.settle();
      const { session } = gateway.gateway;
      session.close(ErrorCode.None, 'done');
      session.close(ErrorCode.None, 'again');
      session.drain(ErrorCode.Draining, 'again');
      gateway.gateway.configure({ generation: 1 });
      owner.stream.write(Buffer.from('late'));
      owner.stream.end();
      owner.stream.reset(ErrorCode.Cancel);
      expect(gateway.gateway.open(GET, true)).to.equal(undefined);
      await line.settle();
      agent.announce({ ordinary: 1 });
      agent.agent.health({});
      agent.agent.session.goaway(ErrorCode.None, 'late');
      expectNothingLeft(gateway, agent);
    });

    it('is dead after three silent intervals, and leaves no timer', async () => {
      const { line, gateway } = await greetedByStranger(pair);
      const owner = gateway.open();
      await line.settle();
      gateway.clock.advance(29_999);
      expect(gateway.ends).to.have.length(0);
      gateway.clock.advance(1);
      expect(gateway.end.code).to.equal(ErrorCode.Silent);
      expect(owner.error.execution).to.equal('unknown');
      await line.settle();
      expectNothingLeft(gateway);
    });

    it('lives as long as PONG answers, and an exchange leaves no timer behind', async () => {
      const line = await pair();
      const gateway = new GatewayEnd(line.gateway);
      const agent = new AgentEnd(line.agent);
      await line.settle();
      for (let interval = 0; interval < 10; interval++) {
        gateway.clock.advance(10_000);
        agent.clock.advance(10_000);
        await line.settle();
      }
      expect([gateway.ends.length, agent.ends.length]).to.deep.equal([0, 0]);
      gateway.clock.advance(1_500);
      expect(gateway.clock.pending, 'the keepalive').to.equal(1);
    });
  });
}
