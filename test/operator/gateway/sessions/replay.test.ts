import { expect } from 'chai';
import {
  type AgentScript,
  type Ask,
  bodyOf,
  GatewayFixture,
  PROTOCOLS,
  type ScriptedAgent,
  SETTINGS,
} from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const { disconnectGraceMs } = SETTINGS.timeouts;
/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;

for (const protocol of PROTOCOLS) {
  describe(`operator/gateway/sessions: a read whose session was lost, ${protocol}`, function () {
    this.timeout(BUSY_MACHINE_MS);
    let fixture: GatewayFixture;
    let agent: ScriptedAgent;
    beforeEach(async () => {
      fixture = await GatewayFixture.start();
      agent = await fixture.agent();
    });
    afterEach(() => fixture.stopQuiet());

    /** Requests that the agent has, and has not answered. */
    async function running(count: number, ask: Partial<Ask> = {}) {
      const client = fixture.client(protocol);
      const calls = [];
      for (let at = 0; at < count; at++) {
        calls.push(client.call({ path: PODS, ...ask }));
        await agent.request(at);
      }
      return calls;
    }

    async function lose(lost: ScriptedAgent = agent) {
      const { sessions } = fixture.counts;
      lost.cut();
      await until(() => fixture.counts.sessions === sessions - 1);
    }

    const answering: AgentScript = { serve: (served) => served.answer(200, [], 'pods') };
    const told = async (call: { answer: Promise<{ status: number; headers: object }> }) => {
      const { status, headers } = await call.answer;
      return { status, retryAfter: (headers as Record<string, unknown>)['retry-after'] };
    };
    const LOST = { status: 503, retryAfter: '1' };

    for (const method of ['GET', 'HEAD']) {
      it(`is sent again with the next session: ${method}`, async () => {
        const [call] = await running(1, { method });
        await lose();
        fixture.clock.advance(disconnectGraceMs - 1);
        const next = await fixture.agent(answering);
        expect((await call?.answer)?.status).to.equal(200);
        expect(next.served.map(({ head }) => head.method)).to.deep.equal([method]);
        const leftMs = SETTINGS.timeouts.requestMs - disconnectGraceMs + 1;
        expect(next.served[0]?.head.deadlineMs, 'what is left of its time').to.equal(leftMs);
      });
    }

    it('is sent again at once when there is another session', async () => {
      const [call] = await running(1);
      const other = await fixture.agent(answering);
      await lose();
      expect((await call?.answer)?.status).to.equal(200);
      expect(other.served).to.have.length(1);
    });

    it('is sent again once: a second loss is told', async () => {
      const [call] = await running(1);
      await lose();
      const second = await fixture.agent();
      await second.request();
      await lose(second);
      expect(await told(call as never)).to.deep.equal(LOST);
      const third = await fixture.agent();
      await turns();
      expect(third.served).to.deep.equal([]);
    });

    it('is told of the loss when no session comes within the grace', async () => {
      const [call] = await running(1);
      await lose();
      await until(() => fixture.counts.waiting === 1);
      fixture.clock.advance(disconnectGraceMs);
      expect(await told(call as never)).to.deep.equal(LOST);
    });

    it('waits no longer than the request may take', async () => {
      fixture.addTunnel('c1', { settings: { ...SETTINGS, timeouts: { ...SETTINGS.timeouts, requestMs: 20_000 } } });
      const [call] = await running(1);
      await fixture.pass(19_000);
      await lose();
      await until(() => fixture.counts.waiting === 1);
      fixture.clock.advance(999);
      expect(fixture.counts.waiting).to.equal(1);
      fixture.clock.advance(1);
      expect(await told(call as never)).to.deep.equal(LOST);
    });

    it('is not sent again when its client went away meanwhile', async () => {
      const [call] = await running(1);
      await lose();
      await until(() => fixture.counts.waiting === 1);
      call?.cancel();
      await until(() => fixture.counts.requests === 0);
      const next = await fixture.agent();
      await turns();
      expect(next.served).to.deep.equal([]);
    });

    it('is not sent again once its answer began', async () => {
      const [call] = await running(1);
      agent.served[0]?.stream.sendHead({ status: 200, headers: [] });
      agent.served[0]?.stream.write(Buffer.from('{'));
      const answer = await call?.answer;
      const text = bodyOf(answer as never).catch(() => 'cut');
      await lose();
      const next = await fixture.agent();
      expect(await text).to.equal('cut');
      expect(next.served).to.deep.equal([]);
    });

    for (const [what, ask] of [
      ['has a body', { path: PODS, body: '{}', headers: { 'content-length': '2' } }],
      ['asks a pod through the API server', { path: `${PODS}/web:80/proxy/pay` }],
      ['asks a service in the old way', { path: '/clusters/c1/api/v1/proxy/namespaces/default/services/web/pay' }],
    ] as const) {
      it(`is not sent again when it ${what}`, async () => {
        const [call] = await running(1, ask);
        await lose();
        expect(await told(call as never)).to.deep.equal(LOST);
        const next = await fixture.agent();
        await turns();
        expect(next.served).to.deep.equal([]);
      });
    }

    it('is sent again among 30 for 6 at most: a tunnel that flaps is not asked everything twice', async () => {
      const calls = await running(30);
      await lose();
      await until(() => fixture.counts.requests === 6);
      const next = await fixture.agent(answering);
      const statuses = (await Promise.all(calls.map(({ answer }) => answer))).map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).to.have.length(6);
      expect(statuses.filter((status) => status === 503)).to.have.length(24);
      expect(next.served).to.have.length(6);
    });

    it('begins a watch again, and holds it as any that begins', async () => {
      const [call] = await running(1, { path: `${PODS}?watch=true` });
      await lose();
      await until(() => fixture.counts.waiting === 1);
      await fixture.pass(25_000);
      expect(await told(call as never)).to.deep.equal({ status: 429, retryAfter: '5' });
    });
  });
}
