import { expect } from 'chai';
import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import { AgentEnd, expectNothingLeft, GatewayEnd, HELLO, type Line, Stranger } from './harness.ts';

/** HELLO, WELCOME, and all that can go wrong before. */
export function describeHandshake(pair: () => Promise<Line>): void {
  describe('handshake', () => {
    it('makes both ends ready, each with what the other said', async () => {
      const line = await pair();
      const [gateway, agent] = [new GatewayEnd(line.gateway), new AgentEnd(line.agent)];
      await line.settle();
      expect(gateway.readies).to.deep.equal([HELLO]);
      expect(agent.readies).to.deep.equal([
        { version: 1, features: [], sessionId: 'session', replicaId: 'replica', gatewayVersion: '0.1.0' },
      ]);
      expect([gateway.gateway.freeSlots('ordinary'), gateway.gateway.freeSlots('longRunning')]).to.deep.equal([8, 8]);
      expect(gateway.gateway.session.vitals.rttMs, 'a first PONG came').to.equal(0);
      agent.agent.session.close(ErrorCode.None, 'done');
      await line.settle();
      expectNothingLeft(gateway, agent);
    });

    it('ends with VERSION at both ends when no version is shared', async () => {
      const line = await pair();
      const gateway = new GatewayEnd(line.gateway);
      const agent = new AgentEnd(line.agent, { hello: { versions: [7, 8] } });
      await line.settle();
      expect([gateway.end.code, agent.end.code]).to.deep.equal([ErrorCode.Version, ErrorCode.Version]);
      expect(gateway.end.reason).to.contain('7, 8');
      expect([gateway.readies, agent.readies]).to.deep.equal([[], []]);
      expectNothingLeft(gateway, agent);
    });

    it('ends with VERSION when the gateway chooses what the agent does not speak', async () => {
      const line = await pair();
      const agent = new AgentEnd(line.agent);
      const stranger = new Stranger(line.gateway);
      const document = { version: 2, features: [], sessionId: 's', replicaId: 'r', gatewayVersion: '9' };
      stranger.say({ type: FrameType.Welcome, document });
      await line.settle();
      expect(agent.end.code).to.equal(ErrorCode.Version);
      expectNothingLeft(agent);
    });

    it('chooses the best version of the agent among those it knows, and only features it knows', async () => {
      const line = await pair();
      const gateway = new GatewayEnd(line.gateway);
      const stranger = new Stranger(line.agent);
      stranger.hello({ versions: [9, 1], features: ['unheard-of'] });
      await line.settle();
      expect(stranger.all(FrameType.Welcome)[0]?.document).to.include({ version: 1 });
      expect(stranger.all(FrameType.Welcome)[0]?.document['features']).to.deep.equal([]);
      gateway.gateway.session.close(ErrorCode.None, 'done');
    });

    it('waits 5 s for HELLO and for WELCOME, not longer', async () => {
      const line = await pair();
      const gateway = new GatewayEnd(line.gateway);
      gateway.clock.advance(4_999);
      expect(gateway.ends).to.have.length(0);
      gateway.clock.advance(1);
      expect(gateway.end.code).to.equal(ErrorCode.HandshakeTimeout);
      expectNothingLeft(gateway);
      const other = await pair();
      const agent = new AgentEnd(other.agent);
      agent.clock.advance(5_000);
      expect(agent.end.code).to.equal(ErrorCode.HandshakeTimeout);
      expectNothingLeft(agent);
    });

    it('takes GOAWAY instead of a greeting for the end, whatever follows it', async () => {
      const line = await pair();
      const agent = new AgentEnd(line.agent);
      const stranger = new Stranger(line.gateway);
      const goaway = { lastStreamId: 0, code: ErrorCode.Revoked, reason: 'the tunnel was deleted' };
      const welcome = { version: 1, features: [], sessionId: 's', replicaId: 'r', gatewayVersion: '0.1.0' };
      stranger.say({ type: FrameType.Goaway, document: goaway }, { type: FrameType.Welcome, document: welcome });
      await line.settle();
      expect(agent.readies, 'never ready').to.deep.equal([]);
      expect(agent.end).to.deep.equal({ code: ErrorCode.Revoked, reason: 'the tunnel was deleted' });
      expectNothingLeft(agent);
    });

    it('says goodbye once when it is told to drain before the greeting', async () => {
      const line = await pair();
      const gateway = new GatewayEnd(line.gateway);
      const stranger = new Stranger(line.agent);
      gateway.gateway.session.drain(ErrorCode.Draining, 'the gateway leaves');
      await line.settle();
      expect(stranger.all(FrameType.Goaway)).to.have.length(1);
      expect(gateway.end).to.deep.equal({ code: ErrorCode.Draining, reason: 'the gateway leaves' });
      expectNothingLeft(gateway);
    });

    it('is over when the connection closes before the greeting', async () => {
      const line = await pair();
      const [gateway, agent] = [new GatewayEnd(line.gateway), new AgentEnd(line.agent)];
      line.drop();
      await line.settle();
      expect([gateway.end.code, agent.end.code]).to.deep.equal([ErrorCode.None, ErrorCode.None]);
      expectNothingLeft(gateway, agent);
    });
  });
}
