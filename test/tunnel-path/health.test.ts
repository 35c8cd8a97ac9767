import { expect } from 'chai';
import { DEFAULT_CIRCUIT_BREAKER } from '../../crds/circuit-breaker.ts';
import type { HealthSettings } from '../../crds/health.ts';
import { type Client, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { identityIn, WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
/** A circuit that is half open waits so long for a user's read, then it asks by itself. */
const ASK_AFTER_MS = 1_000;
/** As many as the tunnel of the fixture lets one agent have. */
const WORKERS = 64;
const HEALTH: HealthSettings = { intervalMs: 10_000, timeoutMs: 5_000, failureThreshold: 3 };

describe('tunnel-path/health', function () {
  this.timeout(60_000);
  let path: WholePath;
  let client: Client;
  beforeEach(async () => {
    path = await WholePath.start();
    client = path.gateway.client('h2');
  });
  afterEach(() => path.stop());

  const watch = (health: Partial<HealthSettings> = {}) => {
    path.gateway.addTunnel('c1', { health: { ...HEALTH, ...health } });
    path.gateway.gateway.tunnelChanged('c1');
  };
  const way = () => path.gateway.gateway.facts('c1').way;
  const asked = () => path.upstream.received.map(({ method, url }) => `${method} ${url}`);
  const probes = () => asked().filter((each) => each === 'GET /version').length;

  it('asks for the version by a worker, as a user without rights', async () => {
    let answer = () => {};
    path.upstream.answer = (_, response) => {
      answer = () => response.end('{}');
    };
    watch();
    await until(() => probes() === 1);
    expect([path.agent.busy, path.gateway.counts.streams]).to.deep.equal([1, 1]);
    const [, , ...who] = identityIn(path.upstream.received[0]?.rawHeaders ?? []);
    expect(who).to.deep.equal(['Impersonate-User', 'clustertunnel:probe']);
    answer();
    await until(() => way()?.state === 'open' && path.agent.busy === 0);
  });

  it('asks nothing where users were answered within the interval', async () => {
    watch();
    await until(() => way()?.state === 'open');
    for (let at = 0; at < 5; at++) {
      path.gateway.clock.advance(HEALTH.intervalMs - 1_000);
      expect((await whole(client, { path: PODS })).status).to.equal(200);
    }
    expect(probes()).to.equal(1);
    path.gateway.clock.advance(HEALTH.intervalMs);
    await until(() => probes() === 2);
  });

  it('a probe that hangs has its one worker until its timeout; as many as the threshold says are news', async () => {
    watch();
    await until(() => way()?.state === 'open');
    path.upstream.answer = ({ url = '' }, response) => {
      if (url !== '/version') response.end('served');
    };
    for (let at = 1; at <= HEALTH.failureThreshold; at++) {
      path.gateway.clock.advance(HEALTH.intervalMs - (at === 1 ? 0 : HEALTH.timeoutMs));
      await until(() => probes() === 1 + at && path.agent.busy === 1);
      expect(way()?.state).to.equal('open');
      path.gateway.clock.advance(HEALTH.timeoutMs);
      await until(() => path.agent.busy === 0);
    }
    expect(way()).to.include({ state: 'failing', detail: `no answer to /version within ${HEALTH.timeoutMs} ms` });
    expect((await whole(client, { path: PODS })).text).to.equal('served');
    expect(way()?.state).to.equal('open');
  });

  it('users who have all workers starve no probe of its meaning: it is saturated, and takes no place in their line', async () => {
    watch({ failureThreshold: 2 });
    await until(() => way()?.state === 'open');
    path.upstream.answer = () => {};
    const calls = Array.from({ length: WORKERS + 3 }, () => client.call({ path: PODS }));
    await until(() => path.agent.busy === WORKERS && path.gateway.counts.waiting === 3);
    path.gateway.clock.advance(HEALTH.intervalMs);
    expect(way()?.state).to.equal('open');
    path.gateway.clock.advance(HEALTH.intervalMs);
    expect(way()?.state).to.equal('saturated');
    expect([probes(), path.gateway.counts.waiting]).to.deep.equal([1, 3]);
    for (const call of calls) call.cancel();
    await path.quiet();
    path.upstream.answer = (_, response) => response.end('{}');
    path.gateway.clock.advance(HEALTH.intervalMs);
    await until(() => way()?.state === 'open');
    expect(probes()).to.equal(2);
  });

  it('has one probe at a time, though the circuit breaker wants one too', async () => {
    path.upstream.answer = () => {};
    watch({ timeoutMs: 15_000 });
    await until(() => path.agent.busy === 1);
    path.agent.upstream.reconfigure({ ca: path.gateway.ca });
    for (let at = 0; at < DEFAULT_CIRCUIT_BREAKER.failureThreshold; at++)
      expect((await whole(client, { path: PODS, method: 'POST', body: '{}' })).status).to.equal(503);
    path.agent.upstream.reconfigure({ ca: path.upstream.ca });
    path.gateway.clock.advance(DEFAULT_CIRCUIT_BREAKER.openMs + ASK_AFTER_MS);
    expect([path.gateway.counts.streams, path.agent.busy, probes()]).to.deep.equal([1, 1, 1]);
    path.upstream.answer = (_, response) => response.end('{}');
    path.gateway.clock.advance(15_000);
    await until(() => path.agent.busy === 0);
    const circuit = () => path.gateway.gateway.circuits().find(({ tunnel }) => tunnel === 'c1')?.state;
    await until(() => {
      path.gateway.clock.advance(ASK_AFTER_MS / 10);
      return circuit() === 'closed';
    });
  });

  it('follows a spec that changes, and cuts nothing for it', async () => {
    watch();
    await until(() => way()?.state === 'open');
    const call = client.call({ path: `${PODS}?watch=true` });
    path.upstream.answer = (_, response) => {
      response.flushHeaders();
    };
    await call.answer;
    path.upstream.answer = (_, response) => response.writeHead(500).end();
    watch({ intervalMs: 1_000, failureThreshold: 1 });
    path.gateway.clock.advance(1_000);
    await until(() => way()?.state === 'failing');
    expect([path.gateway.counts.sessions, path.gateway.counts.requests]).to.deep.equal([1, 1]);
    call.cancel();
  });
});
