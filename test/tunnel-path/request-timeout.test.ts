import { expect } from 'chai';
import { PROTOCOLS, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
/** The gateway waits longer than the agent by so much. */
const MARGIN_MS = 10_000;

describe('tunnel-path/request-timeout', function () {
  this.timeout(60_000);
  let path: WholePath;
  beforeEach(async () => {
    path = await WholePath.start();
  });
  afterEach(() => path.stop());

  const arrived = (count = 1) => until(() => path.upstream.received.length === count);

  for (const protocol of PROTOCOLS) {
    it(`an ordinary request over ${protocol} ends when its own timeout is over, at the target too`, async () => {
      path.upstream.answer = () => {};
      const answer = whole(path.gateway.client(protocol), { path: `${PODS}?timeout=3s` });
      await arrived();
      path.gateway.clock.advance(2_999);
      expect(path.agent.busy).to.equal(1);
      path.gateway.clock.advance(1);
      const { status, text } = await answer;
      expect(status).to.equal(504);
      expect(JSON.parse(text).details.causes[0].reason).to.equal('request_timeout');
      await until(() => path.upstream.last.isAborted);
    });
  }

  for (const timeout of ['0', '0s', '10m', '-1s']) {
    it(`timeout=${timeout} leaves timeouts.request as it is`, async () => {
      path.upstream.answer = () => {};
      const answer = whole(path.gateway.client('h2'), { path: `${PODS}?timeout=${timeout}` });
      await arrived();
      await path.gateway.pass(119_999);
      expect(path.agent.busy).to.equal(1);
      path.gateway.clock.advance(1);
      expect((await answer).status).to.equal(504);
    });
  }

  it('a timeout that is none is a 400 of the gateway, before anybody is asked', async () => {
    const { status, text, headers } = await whole(path.gateway.client('h2'), { path: `${PODS}?timeout=soon` });
    expect(status).to.equal(400);
    expect(headers['retry-after']).to.equal(undefined);
    const { reason, message } = JSON.parse(text);
    expect(reason).to.equal('BadRequest');
    expect(message).to.contain('invalid timeout specified in the request URL - time: invalid duration "soon"');
    expect(path.gateway.reviewed.tokens).to.deep.equal([]);
    expect(path.upstream.received).to.have.length(0);
  });

  it('time in the queue counts', async () => {
    path.upstream.answer = () => {};
    const client = path.gateway.client('h2');
    const first = Array.from({ length: 64 }, () => client.call({ path: PODS }));
    await arrived(64);
    const late = whole(client, { path: `${PODS}?timeout=5s` });
    await until(() => path.gateway.counts.waiting === 1);
    path.gateway.clock.advance(4_000);
    first[0]?.cancel();
    await arrived(65);
    path.gateway.clock.advance(1_000);
    const { status, text } = await late;
    expect([status, JSON.parse(text).details.causes[0].reason]).to.deep.equal([504, 'request_timeout']);
    const waiting = whole(client, { path: `${PODS}?timeout=5s` });
    await arrived(66);
    const last = whole(client, { path: `${PODS}?timeout=2s` });
    await until(() => path.gateway.counts.waiting === 1);
    path.gateway.clock.advance(2_000);
    const refused = await last;
    expect([refused.status, refused.headers['retry-after']]).to.deep.equal([429, '1']);
    expect(JSON.parse(refused.text).details.causes[0].reason).to.equal('queue_timeout');
    path.gateway.clock.advance(3_000);
    expect((await waiting).status).to.equal(504);
    for (const call of first) call.cancel();
  });

  it('a watch is exempt: timeout and timeoutSeconds go to the target, which ends it', async () => {
    let end = () => {};
    path.upstream.answer = (_, response) => {
      response.flushHeaders();
      end = () => response.end();
    };
    const query = '?watch=true&timeoutSeconds=1&timeout=3s';
    const answer = whole(path.gateway.client('h2'), { path: `${PODS}${query}` });
    await arrived();
    expect(path.upstream.last.url).to.contain(query);
    await path.gateway.pass(20 * MARGIN_MS);
    expect(path.agent.busy).to.equal(1);
    end();
    expect((await answer).status).to.equal(200);
  });

  it('the gateway waits 10 s longer than the agent, so that the agent can say what it knows', async () => {
    const agent = await path.gateway.agent({ slots: { ordinary: 500, longRunning: 0 } });
    const answer = whole(path.gateway.client('h2'), { path: `${PODS}?timeout=3s` });
    const served = await agent.request();
    expect(served.head.deadlineMs).to.equal(3_000);
    path.gateway.clock.advance(3_000 + MARGIN_MS - 1);
    expect(path.gateway.counts.streams).to.equal(1);
    path.gateway.clock.advance(1);
    expect((await answer).status).to.equal(504);
  });
});
