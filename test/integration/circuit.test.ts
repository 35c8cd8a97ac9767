import { expect } from 'chai';
import { until } from '../../hack/lab/until.ts';
import { whole } from '../support/gateway-fixture.ts';
import { opsText } from '../support/installed-lab.ts';
import { describePlayed, TUNNEL } from '../support/played-target.ts';

const NEIGHBOUR = 'neighbour';
const PODS = '/api/v1/namespaces/default/pods';
const FAILURES = 4;
/** A condition is written, a probe has gone: whatever a busy machine takes. */
const SOON_MS = 60_000;
const SPEC = { circuitBreaker: { failureThreshold: FAILURES, openDuration: '2s', maxOpenDuration: '4s' } } as const;

/** What one test leaves to the next: they tell one story. */
describePlayed('an API server that goes away and comes back', { spec: SPEC }, (target) => {
  const ask = async (tunnel: string, method = 'GET') => {
    const client = target().client('http/1.1');
    const { status, headers, text } = await whole(client, {
      path: `/clusters/${tunnel}${PODS}`,
      token: target().token,
      method,
    });
    const retryAfter = headers['retry-after'] === undefined ? undefined : Number(headers['retry-after']);
    const code = status < 400 ? undefined : JSON.parse(text).details.causes[0].reason;
    return { status, code, retryAfter };
  };
  const conditionOf = async (tunnel: string, type: string) => {
    const path = `jsonpath={.status.conditions[?(@.type=="${type}")]}`;
    const { stdout } = await target().lab.hub(['get', 'ct', tunnel, '-o', path]);
    return JSON.parse(stdout) as { status: string; reason: string; message: string; lastTransitionTime: string };
  };
  const metric = async (name: string, tunnel: string) => {
    const text = await opsText(target().lab.operator(), 8080, '/metrics');
    const line = text.split('\n').find((each) => each.startsWith(`${name}{tunnel="${tunnel}"}`)) ?? '';
    return Number(line.split(' ')[1]);
  };

  before(async function () {
    this.timeout(3 * SOON_MS);
    await target().neighbour(NEIGHBOUR);
    await target().lab.waitReady(TUNNEL);
  });

  it('after failures in a row nothing is tried any more, and the status, the metrics and each answer say so', async () => {
    expect(await ask(TUNNEL)).to.include({ status: 200 });
    const before = await conditionOf(NEIGHBOUR, 'Ready');
    await target().upstream.goAway();
    for (let at = 0; at < FAILURES; at++) {
      expect(await ask(TUNNEL, 'POST')).to.include({ status: 503, code: 'upstream_unreachable' });
    }
    const refused = await ask(TUNNEL, 'POST');
    expect(refused).to.include({ status: 503, code: 'circuit_open' });
    expect(refused.retryAfter).to.be.within(1, 4);
    const condition = await until(
      'the condition',
      async () => {
        const seen = await conditionOf(TUNNEL, 'UpstreamHealthy');
        return seen.reason === 'CircuitOpen' ? seen : undefined;
      },
      SOON_MS,
    );
    expect(condition.status).to.equal('False');
    expect(condition.message).to.contain('connection refused');
    expect(await conditionOf(TUNNEL, 'Ready')).to.include({ status: 'False', reason: 'CircuitOpen' });
    expect(await metric('clustertunnel_circuit_state', TUNNEL)).to.be.oneOf([1, 2]);
    expect(await metric('clustertunnel_circuit_opened_total', TUNNEL)).to.be.at.least(1);

    expect(await ask(NEIGHBOUR)).to.include({ status: 200 });
    expect(await ask(NEIGHBOUR, 'POST')).to.include({ status: 200 });
    expect(await conditionOf(NEIGHBOUR, 'Ready')).to.deep.equal(before);
    expect(await metric('clustertunnel_circuit_state', NEIGHBOUR)).to.equal(0);
  }).timeout(3 * SOON_MS);

  it('a kubectl that is refused meanwhile gets its answer once the API server is back, and so does the status', async () => {
    const args = ['get', '--raw', PODS];
    const { lab, upstream, token } = target();
    const kubectl = lab.through(TUNNEL, { token }, args, { timeoutMs: SOON_MS });
    expect(await ask(TUNNEL, 'POST')).to.include({ code: 'circuit_open' });
    await upstream.comeBack();
    const { stdout } = await kubectl;
    expect(stdout).to.equal('ok');
    expect(await ask(TUNNEL, 'POST')).to.include({ status: 200 });
    await lab.waitReady(TUNNEL);
    expect(await metric('clustertunnel_circuit_state', TUNNEL)).to.equal(0);
  }).timeout(3 * SOON_MS);

  it('closes by itself when nobody asks, with one question for the version', async () => {
    const { upstream } = target();
    await upstream.goAway();
    for (let at = 0; at < FAILURES; at++) await ask(TUNNEL, 'POST');
    expect(await ask(TUNNEL, 'POST')).to.include({ code: 'circuit_open' });
    await upstream.comeBack();
    await until(
      'a closed circuit',
      async () => ((await metric('clustertunnel_circuit_state', TUNNEL)) === 0 ? true : undefined),
      SOON_MS,
    );
    expect(await ask(TUNNEL, 'POST')).to.include({ status: 200 });
  }).timeout(3 * SOON_MS);
});
