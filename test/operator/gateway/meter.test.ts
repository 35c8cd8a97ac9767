import { expect } from 'chai';
import type { EndedRequest, GatewayMeter } from '../../../operator/gateway/meter.ts';
import { nameOf } from '../../../tunnel/wire/codes.ts';
import { GatewayFixture, SETTINGS, whole } from '../../support/gateway-fixture.ts';
import { until } from '../../support/turns.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';

describe('operator/gateway/meter', () => {
  let fixture: GatewayFixture;
  let sessions: [string, number][];
  let waits: [string, number][];
  let requests: EndedRequest[];
  beforeEach(async () => {
    sessions = [];
    waits = [];
    requests = [];
    const meter: GatewayMeter = {
      sessionEnded: (code, durationMs) => sessions.push([nameOf(code), durationMs]),
      waited: (tunnel, waitedMs) => waits.push([tunnel, waitedMs]),
      requestEnded: (request) => requests.push(request),
    };
    fixture = await GatewayFixture.start({ meter });
  });
  afterEach(() => fixture.stop());

  it('hears how long a session lived since its greeting, and of one that never greeted nothing', async () => {
    const agent = await fixture.agent();
    await fixture.pass(60_000);
    fixture.views.delete('c1');
    fixture.gateway.tunnelChanged('c1');
    await until(() => agent.end !== undefined);
    expect(sessions).to.deep.equal([['REVOKED', 60_000]]);
    fixture.addTunnel('c1');
    const silent = fixture.dial({ token: fixture.mint() });
    await until(() => fixture.counts.greeting === 1);
    silent.terminate();
    await until(() => fixture.counts.greeting === 0);
    expect(sessions).to.have.length(1);
  });

  it('hears of those only who had to wait, once each, whatever became of them', async () => {
    const agent = await fixture.agent({ slots: { ordinary: 1, longRunning: 0 }, keepsSlots: true });
    const client = fixture.client('h2');
    const calls = [1, 2, 3, 4].map(() => client.call({ path: PODS }));
    await until(() => fixture.counts.waiting === 3 && agent.served.length === 1);
    expect([...fixture.gateway.waiting()]).to.deep.equal([['c1', 3]]);
    expect(waits).to.deep.equal([]);
    await fixture.pass(5_000);
    agent.session.announce({ ordinary: 1, longRunning: 0 });
    await until(() => agent.served.length === 2);
    expect(waits, 'who was served').to.deep.equal([['c1', 5_000]]);
    calls[2]?.cancel();
    await until(() => fixture.counts.waiting === 1);
    expect(waits, 'who went away').to.have.length(2);
    for (const served of agent.served) served.answer(200);
    await fixture.pass(SETTINGS.timeouts.requestMs - 5_000);
    expect((await calls[3]?.answer)?.status).to.equal(429);
    expect(waits, 'who gave up').to.deep.equal([
      ['c1', 5_000],
      ['c1', 5_000],
      ['c1', SETTINGS.timeouts.requestMs],
    ]);
    await until(() => requests.length === 4);
    expect(waits).to.have.length(3);
  });

  it('hears of every request that was let in how long it took, from its coming', async () => {
    const agent = await fixture.agent();
    const asked = whole(fixture.client('h2'), { path: `${PODS}?limit=1` });
    const served = await agent.request();
    await fixture.pass(1_500);
    served.answer(200);
    await asked;
    expect(requests).to.have.length(1);
    expect(requests[0]).to.include({
      path: PODS.slice('/clusters/c1'.length),
      isLongRunning: false,
      status: 200,
      cutBy: undefined,
    });
    expect(requests[0]?.durationMs).to.equal(1_500);
    await whole(fixture.client('h2'), { path: PODS, token: 'mallory' });
    expect(requests, 'who was not let in').to.have.length(1);
  });
});
