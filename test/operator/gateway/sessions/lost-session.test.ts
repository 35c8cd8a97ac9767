import { expect } from 'chai';
import { UNSETTLED_MS } from '../../../../operator/gateway/sessions/unsettled.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import {
  type AgentScript,
  type Ask,
  GatewayFixture,
  PROTOCOLS,
  type ScriptedAgent,
  SETTINGS,
} from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const EXEC = '/clusters/c1/api/v1/namespaces/default/pods/web/exec?command=sh';
/** One process, whatever session it has. */
const PROCESS = { instanceId: 'process', connection: 0 };

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;

for (const protocol of PROTOCOLS) {
  describe(`operator/gateway/sessions: a session is lost under requests, ${protocol}`, function () {
    this.timeout(BUSY_MACHINE_MS);
    let fixture: GatewayFixture;
    let agent: ScriptedAgent;
    beforeEach(async () => {
      fixture = await GatewayFixture.start();
      agent = await fixture.agent({ hello: PROCESS });
    });
    afterEach(() => fixture.stopQuiet());

    /** A request that the agent has, and has not answered. */
    async function running(ask: Partial<Ask>) {
      const at = agent.served.length;
      const call = fixture.client(protocol).call({ method: 'POST', path: PODS, ...ask });
      const served = await agent.request(at);
      if (ask.body !== undefined) await until(() => served.hasEnded);
      return call;
    }

    /** The connection breaks, and the gateway knows it. */
    async function lose(unsettled: number) {
      agent.cut();
      await until(() => fixture.counts.sessions === 0);
      expect(fixture.counts).to.include({ unsettled, streams: 0 });
    }

    /** The next session of the same process. `lastStreamId`: what it claims to have seen. */
    function back(lastStreamId: number | undefined, script: AgentScript = {}) {
      const sessionId = agent.session.previous?.sessionId ?? '';
      const previous = lastStreamId === undefined ? undefined : { sessionId, lastStreamId };
      return fixture.agent({ ...script, hello: { ...PROCESS, previous, ...script.hello } });
    }

    const told = async (call: Awaited<ReturnType<typeof running>>) => {
      const { status, headers } = await call.answer;
      return { status, retryAfter: headers['retry-after'] };
    };
    const MAYBE_EXECUTED = { status: 504, retryAfter: undefined };

    it('sends a write again that its agent never saw: the client hears of nothing', async () => {
      const call = await running({});
      await lose(1);
      const next = await back(0, { serve: (served) => served.answer(201) });
      expect(await told(call)).to.deep.equal({ status: 201, retryAfter: undefined });
      expect(next.served.map(({ head }) => head.method)).to.deep.equal(['POST']);
    });

    it('promises the client of a write whose body is gone that nothing ran', async () => {
      const call = await running({ body: '{}' });
      await lose(1);
      const next = await back(0);
      expect(await told(call)).to.deep.equal({ status: 503, retryAfter: '1' });
      expect(next.served).to.deep.equal([]);
    });

    it('promises nothing of a write that the agent saw', async () => {
      const [first, second] = [await running({}), await running({ method: 'DELETE' })];
      await lose(2);
      const next = await back(1, { serve: (served) => served.answer(200) });
      expect(await told(first)).to.deep.equal(MAYBE_EXECUTED);
      expect(await told(second)).to.include({ status: 200 });
      expect(next.served.map(({ head }) => head.method)).to.deep.equal(['DELETE']);
    });

    it('promises nothing when the agent does not say, and does not go on waiting', async () => {
      const call = await running({});
      await lose(1);
      await back(undefined);
      expect(await told(call)).to.deep.equal(MAYBE_EXECUTED);
    });

    it('promises nothing when the process does not come back: a new one knows nothing', async () => {
      const call = await running({ body: '{}' });
      await lose(1);
      await back(0, { hello: { instanceId: 'restarted' } });
      await turns();
      expect(fixture.counts.unsettled).to.equal(1);
      await fixture.pass(UNSETTLED_MS);
      expect(await told(call)).to.deep.equal(MAYBE_EXECUTED);
    });

    it('does not listen to the agent of another tunnel, whatever it calls itself', async () => {
      fixture.addTunnel('c2');
      const call = await running({});
      await lose(1);
      await back(0, { tunnel: 'c2' });
      await turns();
      expect(fixture.counts.unsettled).to.equal(1);
      await back(1);
      expect(await told(call)).to.deep.equal(MAYBE_EXECUTED);
    });

    it('does not listen to the agent of a namesake', async () => {
      const call = await running({});
      await lose(1);
      fixture.addTunnel('c1', { uid: 'uid-of-another' });
      const token = fixture.mint('c1', 'uid-of-another');
      await back(0, { token });
      await turns();
      expect(fixture.counts.unsettled).to.equal(1);
      await fixture.pass(UNSETTLED_MS);
      expect(await told(call)).to.deep.equal(MAYBE_EXECUTED);
    });

    it('waits no longer than the request may take', async () => {
      fixture.addTunnel('c1', { settings: { ...SETTINGS, timeouts: { ...SETTINGS.timeouts, requestMs: 20_000 } } });
      const call = await running({});
      await fixture.pass(29_000);
      await lose(1);
      fixture.clock.advance(999);
      expect(fixture.counts.unsettled).to.equal(1);
      fixture.clock.advance(1);
      expect(await told(call)).to.deep.equal(MAYBE_EXECUTED);
    });

    it('does not ask what became of a read: it may be sent again anyway', async () => {
      const call = await running({ method: 'GET' });
      await lose(0);
      const next = await back(undefined, { serve: (served) => served.answer(200) });
      expect(await told(call)).to.deep.equal({ status: 200, retryAfter: undefined });
      expect(next.served).to.have.length(1);
    });

    it('does not keep the client of a write waiting that the agent spoke of', async () => {
      const call = await running({});
      agent.served[0]?.stream.sendHead({ status: 100, headers: [] });
      await until(() => (fixture.gateway.facts('c1').links[0]?.session.session.streams.lastHeardId ?? 0) === 1);
      await lose(0);
      expect(await told(call)).to.deep.equal(MAYBE_EXECUTED);
    });

    it('forgets a write whose client goes away', async () => {
      const call = await running({});
      await lose(1);
      call.cancel();
      await until(() => fixture.counts.unsettled === 0 && fixture.counts.requests === 0);
      const next = await back(0);
      await turns();
      expect(next.served).to.deep.equal([]);
    });

    it('takes what the client still sends of a body, and holds nothing of it', async () => {
      const call = fixture.client(protocol).call({ method: 'POST', path: PODS, body: 'open' });
      await agent.request();
      await lose(1);
      for (let at = 0; at < 10; at++) call.upload.write(Buffer.alloc(64 * 1024));
      await turns();
      expect(fixture.counts).to.include({ queuedBytes: 0, bufferedBytes: 0, unsettled: 1 });
      await back(0);
      expect(await told(call)).to.deep.equal({ status: 503, retryAfter: '1' });
      call.cancel();
    });

    it('lets go of all when the time to drain is over', async () => {
      const call = await running({});
      await lose(1);
      const signal = new AbortController();
      const drained = fixture.gateway.drain(signal.signal);
      let isDrained = false;
      void drained.then(() => {
        isDrained = true;
      });
      await turns();
      expect(fixture.counts.unsettled, 'it may still be told').to.equal(1);
      signal.abort();
      while (!isDrained) {
        fixture.clock.advance(50);
        await turns(5);
      }
      expect(await told(call)).to.deep.equal(MAYBE_EXECUTED);
    });
  });
}

describe('operator/gateway/sessions: a session is lost under an upgrade', () => {
  it('is told whether the command may have run', async () => {
    const fixture = await GatewayFixture.start();
    for (const [lastStreamId, status] of [
      [0, 503],
      [1, 504],
    ] as const) {
      const agent = await fixture.agent({ hello: PROCESS });
      const raw = await fixture.raw();
      const lines = ['Host: g', 'Authorization: Bearer alice', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
      raw.write(`POST ${EXEC} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      await agent.request();
      agent.cut();
      await until(() => fixture.counts.unsettled === 1);
      const sessionId = agent.session.previous?.sessionId ?? '';
      const next = await fixture.agent({ hello: { ...PROCESS, previous: { sessionId, lastStreamId } } });
      expect(await raw.said('\r\n\r\n')).to.match(new RegExp(`^HTTP/1\\.1 ${status} `));
      await until(() => fixture.isQuiet);
      next.session.session.close(ErrorCode.Draining, 'done');
      await until(() => fixture.counts.sessions === 0);
    }
    await fixture.stop();
  }).timeout(BUSY_MACHINE_MS);
});
