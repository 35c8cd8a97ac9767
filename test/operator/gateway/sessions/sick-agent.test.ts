import { expect } from 'chai';
import { DEFAULT_CIRCUIT_BREAKER } from '../../../../crds/circuit-breaker.ts';
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
  afterEach(() => fixture.stopQuiet());

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

  describe('and has not said so yet', () => {
    const reasonIn = ({ text }: { text: string }) => JSON.parse(text).details.causes[0].reason;
    const few = { ordinary: 2, longRunning: 2 };

    for (const rest of [{}, { method: 'DELETE' }, { path: `${PODS}?watch=1` }]) {
      it(`sends what it could not ask to the other one: ${JSON.stringify(rest)}`, async () => {
        const sick = await fixture.agent(refusing);
        const well = await fixture.agent({ ...answering, slots: few });
        expect(await ask(rest)).to.include({ status: 200, text: 'pods' });
        expect([sick.served.length, well.served.length]).to.deep.equal([1, 1]);
      });
    }

    it('refuses what has a body, of which nothing is left', async () => {
      await fixture.agent(refusing);
      const well = await fixture.agent({ ...answering, slots: few });
      const answer = await ask({ method: 'POST', body: '{}' });
      expect([answer.status, answer.headers['retry-after'], reasonIn(answer)]).to.deep.equal([
        503,
        '2',
        'upstream_unreachable',
      ]);
      expect(well.served).to.have.length(0);
    });

    for (const [what, others] of [
      ['there is no other one', []],
      ['the other session is of the same process', [{ hello: { instanceId: 'process', connection: 1 } }]],
      ['the other one has said that it is no better', [{ ...answering, isSick: true }]],
    ] as const) {
      it(`refuses at once when ${what}`, async () => {
        const first = await fixture.agent({ ...refusing, hello: { instanceId: 'process', connection: 0 } });
        for (const { isSick = false, ...script } of others as readonly (AgentScript & { isSick?: boolean })[]) {
          const other = await fixture.agent({ ...script, slots: few });
          if (isSick) await says(other, 1, false);
        }
        const answer = await ask();
        expect([answer.status, reasonIn(answer)]).to.deep.equal([503, 'upstream_unreachable']);
        expect(fixture.agents.map(({ served }) => served.length)).to.deep.equal([1, ...others.map(() => 0)]);
        expect(first.end).to.equal(undefined);
      });
    }

    it('asks no third one', async () => {
      for (let count = 0; count < 3; count++) await fixture.agent(refusing);
      const answer = await ask();
      expect([answer.status, reasonIn(answer)]).to.deep.equal([503, 'upstream_unreachable']);
      expect(fixture.agents.map(({ served }) => served.length).sort()).to.deep.equal([0, 1, 1]);
    });

    it('tells what the first one said when nobody may wait for the other one', async () => {
      fixture.addTunnel('c1', {
        admission: { rateLimit: { requestsPerSecond: 500, burst: 1_000 }, maxQueuedRequests: 0 },
      });
      await fixture.agent(refusing);
      await fixture.agent({ slots: { ordinary: 0, longRunning: 1 } });
      expect(reasonIn(await ask())).to.equal('upstream_unreachable');
    });

    it('counts for the circuit', async () => {
      fixture.addTunnel('c1', { circuitBreaker: { ...DEFAULT_CIRCUIT_BREAKER, failureThreshold: 1 } });
      await fixture.agent(refusing);
      const well = await fixture.agent({ ...answering, slots: few });
      expect(reasonIn(await ask())).to.equal('upstream_unreachable');
      expect([fixture.gateway.circuits()[0]?.state, well.served.length]).to.deep.equal(['open', 0]);
    });
  });
});
