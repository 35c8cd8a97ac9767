import { expect } from 'chai';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import { AgentEnd, expectNothingLeft, GatewayEnd, GET, type Line, Stranger } from '../../conformance/harness.ts';
import { type TransportPair, transportPair } from '../../support/transport-pair.ts';

describe('tunnel/session: what is known of a session that is gone', () => {
  let pair: TransportPair;
  let line: Line;
  beforeEach(() => {
    pair = transportPair();
    line = { gateway: pair.left, agent: pair.right, settle: pair.settle, drop: () => pair.drop() };
  });

  /** Both ends, greeted, and one request that the agent has seen. */
  async function busy() {
    const [gateway, agent] = [new GatewayEnd(line.gateway), new AgentEnd(line.agent)];
    await line.settle();
    gateway.open();
    await line.settle();
    return { gateway, agent };
  }

  it('is lost when it breaks without a word: the agent tells of the last request that came', async () => {
    const { gateway, agent } = await busy();
    expect([agent.agent.previous, agent.agent.session.isLost], 'while it lives').to.deep.equal([undefined, false]);
    pair.left.stall();
    gateway.open();
    line.drop();
    await line.settle();
    expect([gateway.gateway.session.isLost, agent.agent.session.isLost]).to.deep.equal([true, true]);
    expect(agent.agent.previous).to.deep.equal({ sessionId: 'session', lastStreamId: 1 });
    expectNothingLeft(gateway, agent);
  });

  it('counts a refused request among those that came', async () => {
    const gateway = new GatewayEnd(line.gateway);
    const agent = new AgentEnd(line.agent, { settings: { maxStreams: 0 } });
    await line.settle();
    gateway.open();
    gateway.open();
    await line.settle();
    line.drop();
    expect(agent.owners).to.have.length(0);
    expect(agent.agent.previous).to.deep.equal({ sessionId: 'session', lastStreamId: 2 });
  });

  it('has nothing to tell of a session that was never greeted', async () => {
    const agent = new AgentEnd(line.agent);
    await line.settle();
    line.drop();
    expect(agent.agent.previous).to.equal(undefined);
  });

  for (const leaver of ['gateway', 'agent'] as const) {
    for (const how of ['drain', 'close'] as const) {
      it(`is not lost when the ${leaver} said goodbye: ${how}`, async () => {
        const { gateway, agent } = await busy();
        const { session } = leaver === 'agent' ? agent.agent : gateway.gateway;
        session[how](ErrorCode.Draining, 'bye');
        await line.settle();
        line.drop();
        await line.settle();
        expect([gateway.gateway.session.isLost, agent.agent.session.isLost]).to.deep.equal([false, false]);
        expect(agent.agent.previous).to.equal(undefined);
      });
    }
  }

  it('is not lost when the peer broke a rule: it was told so', async () => {
    const agent = new AgentEnd(line.agent);
    const stranger = new Stranger(line.gateway);
    stranger.welcome();
    await line.settle();
    stranger.say({ type: FrameType.Window, streamId: 7, creditBytes: 1 });
    await line.settle();
    expect(agent.end.code).to.equal(ErrorCode.Protocol);
    expect(agent.agent.previous).to.equal(undefined);
  });

  it('is lost when the peer fell silent: it hears no goodbye', async () => {
    const { gateway, agent } = await busy();
    agent.clock.advance(30_000);
    gateway.clock.advance(30_000);
    expect([gateway.end.code, agent.end.code]).to.deep.equal([ErrorCode.Silent, ErrorCode.Silent]);
    expect([gateway.gateway.session.isLost, agent.agent.session.isLost]).to.deep.equal([true, true]);
    expect(agent.agent.previous).to.deep.equal({ sessionId: 'session', lastStreamId: 1 });
  });

  for (const from of ['gateway', 'agent'] as const) {
    it(`is lost when the ${from} took the other end for silent: its goodbye may come or not`, async () => {
      const { gateway, agent } = await busy();
      const { session } = from === 'agent' ? agent.agent : gateway.gateway;
      session.goaway(ErrorCode.Silent, 'no byte from the peer');
      await line.settle();
      const other = from === 'agent' ? gateway : agent;
      expect(other.end.code).to.equal(ErrorCode.Silent);
      const { isLost } = from === 'agent' ? gateway.gateway.session : agent.agent.session;
      expect(isLost).to.equal(true);
      if (from === 'gateway') expect(agent.agent.previous).to.deep.equal({ sessionId: 'session', lastStreamId: 1 });
    });
  }

  it('knows of requests beyond the last one that was seen, also when their agent took it for silent', async () => {
    const gateway = new GatewayEnd(line.gateway);
    const stranger = new Stranger(line.agent);
    stranger.hello();
    await line.settle();
    const owners = [gateway.open(), gateway.open()];
    await line.settle();
    stranger.say({ type: FrameType.Goaway, document: { lastStreamId: 1, code: ErrorCode.Silent, reason: '' } });
    await line.settle();
    expect(owners.map(({ error }) => error.execution)).to.deep.equal(['unknown', 'not-executed']);
    expectNothingLeft(gateway);
  });

  it('is lost for the gateway that replaces it: its agent speaks elsewhere already', async () => {
    const { gateway, agent } = await busy();
    gateway.gateway.session.close(ErrorCode.Replaced, 'a newer session took its place');
    await line.settle();
    expect(gateway.gateway.session.isLost).to.equal(true);
    expect(agent.agent.previous, 'it was told').to.equal(undefined);
  });

  it('knows the last request that the agent spoke of, however little it said', async () => {
    const gateway = new GatewayEnd(line.gateway);
    const stranger = new Stranger(line.agent);
    stranger.hello();
    await line.settle();
    for (let at = 0; at < 4; at++) gateway.open({ ...GET, method: 'POST' });
    await line.settle();
    const { streams } = gateway.gateway.session;
    expect(streams.lastHeardId).to.equal(0);
    stranger.say({ type: FrameType.Window, streamId: 3, creditBytes: 5_000 });
    stranger.say({ type: FrameType.Refused, streamId: 2, code: ErrorCode.Overload, detail: '' });
    await line.settle();
    expect(streams.lastHeardId).to.equal(3);
  });
});
