import { expect } from 'chai';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import { type AgentScript, GatewayFixture, type ScriptedAgent, whole } from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';

describe('operator/gateway/sessions: one agent of two does not reach its API server', function () {
  // Joined tests: a machine that is busy elsewhere must not fail them.
  this.timeout(15_000);
  let fixture: GatewayFixture;
  beforeEach(async () => {
    fixture = await GatewayFixture.start();
  });
  afterEach(async () => {
    try {
      await until(() => fixture.isQuiet);
    } finally {
      await fixture.stop();
    }
  });

  const ask = (rest: object = {}) => whole(fixture.client('http/1.1'), { path: PODS, ...rest });
  const answering: AgentScript = { serve: (served) => served.answer(200, [], 'pods') };
  const refusing: AgentScript = {
    serve: (served) => served.stream.refuse(ErrorCode.UpstreamUnreachable, 'connect ECONNREFUSED'),
  };

  /** The gateway has heard that this agent, the n-th that came, does or does not reach it. */
  async function says(agent: ScriptedAgent, at: number, k8sHealthy: boolean) {
    agent.session.health({ k8sHealthy });
    await until(() => fixture.gateway.facts('c1').links[at]?.health?.report.k8sHealthy === k8sHealthy);
  }

  /** A full agent that is well, a free one that is sick, and a request that waits. */
  async function oneWaits() {
    const well = await fixture.agent({ slots: { ordinary: 1, longRunning: 0 } });
    const sick = await fixture.agent(answering);
    await says(well, 0, true);
    await says(sick, 1, false);
    const running = ask();
    const served = await well.request();
    const waiting = ask();
    await until(() => fixture.counts.waiting === 1);
    return { well, sick, running, served, waiting };
  }

  it('sends everything to the other one, writes with a body too', async () => {
    const sick = await fixture.agent(refusing);
    const well = await fixture.agent({ ...answering, slots: { ordinary: 2, longRunning: 0 } });
    await says(sick, 0, false);
    await says(well, 1, true);
    for (let count = 0; count < 10; count++)
      expect(await ask({ method: 'POST', body: '{}' })).to.include({ status: 200 });
    expect([sick.served.length, well.served.length]).to.deep.equal([0, 10]);
  });

  it('lets requests wait for the other one, until the sick one is well', async () => {
    const { sick, running, served, waiting } = await oneWaits();
    await turns();
    expect(sick.served).to.have.length(0);
    await says(sick, 1, true);
    expect(await waiting).to.include({ status: 200 });
    served.answer(200);
    await running;
  });

  it('lets requests wait for the other one, until that is sick too', async () => {
    const { well, sick, running, served, waiting } = await oneWaits();
    await says(well, 0, false);
    expect(await waiting).to.include({ status: 200 });
    expect(sick.served).to.have.length(1);
    served.answer(200);
    await running;
  });

  it('lets requests wait for the other one, until that leaves', async () => {
    const { well, sick, running, served, waiting } = await oneWaits();
    well.session.session.drain(ErrorCode.Draining, 'the agent leaves');
    expect(await waiting).to.include({ status: 200 });
    expect(sick.served).to.have.length(1);
    served.answer(200);
    await running;
  });
});
