import { expect } from 'chai';
import { UNSAID_ACCESS } from '../../crds/access-settings.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../crds/circuit-breaker.ts';
import { type Ask, bodyOf, SETTINGS, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { BrokenPath } from './broken-path.ts';
import { identityIn, nextText } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const { failureThreshold, openMs } = DEFAULT_CIRCUIT_BREAKER;
/** Then the gateway asks by itself. */
const ASK_AFTER_MS = 1_000;

describe('tunnel-path/circuit', function () {
  this.timeout(60_000);
  let path: BrokenPath;
  beforeEach(async () => {
    path = await BrokenPath.start();
  });
  afterEach(() => path.stop());

  const ask = (rest: Partial<Ask> = {}) => whole(path.gateway.client('h2'), { path: PODS, ...rest });
  const state = () => path.gateway.gateway.circuits().find(({ tunnel }) => tunnel === 'c1');
  const codeIn = (text: string) => JSON.parse(text).details.causes[0].reason;
  /** Its certificate is of another authority, for the agent: no connection is made. */
  const breakWay = () => path.agent.upstream.reconfigure({ ca: path.gateway.ca });
  const mendWay = () => path.agent.upstream.reconfigure({ ca: path.upstream.ca });

  async function trip(): Promise<void> {
    breakWay();
    for (let at = 0; at < failureThreshold; at++) {
      const { text } = await ask({ method: 'POST', body: '{}' });
      expect(codeIn(text)).to.equal('upstream_unreachable');
    }
    expect(state()).to.include({ state: 'open', openings: 1 });
  }

  const asked = () => path.upstream.received.map(({ method, url }) => `${method} ${url}`);

  it('asks nothing of the target while it is open, and one read when the time is over', async () => {
    await trip();
    expect(path.gateway.gateway.facts('c1').circuit?.cause).to.contain('not signed by the expected CA');
    mendWay();
    for (const rest of [{}, { method: 'POST', body: '{}' }])
      expect(codeIn((await ask(rest)).text)).to.equal('circuit_open');
    path.gateway.clock.advance(openMs);
    let answer = () => {};
    path.upstream.answer = (_, response) => {
      answer = () => response.end('pods');
    };
    const probe = ask();
    await until(() => asked().length === 1);
    for (const rest of [{}, { method: 'POST', body: '{}' }])
      expect(codeIn((await ask(rest)).text)).to.equal('circuit_open');
    path.upstream.answer = (_, response) => response.end('more');
    answer();
    expect((await probe).text).to.equal('pods');
    expect(state()?.state).to.equal('closed');
    expect(path.gateway.gateway.facts('c1').circuit).to.equal(undefined);
    expect((await ask({ method: 'POST', body: '{}' })).text).to.equal('more');
    expect(asked()).to.deep.equal(['GET', 'POST'].map((method) => `${method} ${PODS.slice('/clusters/c1'.length)}`));
  });

  it('asks for the version by itself when nobody asks, as a user without rights, and closes on whatever answer', async () => {
    await trip();
    mendWay();
    path.upstream.answer = (_, response) => response.writeHead(500).end('no');
    path.gateway.clock.advance(openMs + ASK_AFTER_MS);
    await until(() => state()?.state === 'closed');
    expect(asked()).to.deep.equal(['GET /version']);
    const [, , ...who] = identityIn(path.upstream.received[0]?.rawHeaders ?? []);
    expect(who).to.deep.equal(['Impersonate-User', 'clustertunnel:probe']);
  });

  it('asks so of an agent that speaks for named users only, too', async () => {
    const access = { ...UNSAID_ACCESS, users: ['alice'], groups: ['dev'] };
    path.agent.limits.apply({ ...SETTINGS, generation: 2, access });
    await trip();
    mendWay();
    path.gateway.clock.advance(openMs + ASK_AFTER_MS);
    await until(() => state()?.state === 'closed');
    expect(asked()).to.deep.equal(['GET /version']);
  });

  it('opens again for twice as long when the question of its own fails', async () => {
    await trip();
    path.gateway.clock.advance(openMs + ASK_AFTER_MS);
    await until(() => state()?.openings === 2);
    const { headers } = await ask();
    expect(headers['retry-after']).to.equal(String((2 * openMs) / 1_000));
    expect(asked()).to.deep.equal([]);
  });

  it('follows a spec that changes while it is open, and cuts no session for it', async () => {
    await trip();
    mendWay();
    const circuitBreaker = { ...DEFAULT_CIRCUIT_BREAKER, openMs: 1_000 };
    path.gateway.addTunnel('c1', { circuitBreaker });
    path.gateway.gateway.tunnelChanged('c1');
    path.gateway.clock.advance(circuitBreaker.openMs);
    expect((await ask()).text).to.equal('ok');
    expect(state()?.state).to.equal('closed');
    expect(path.gateway.counts.sessions).to.equal(1);
  });

  it('never opens for what the API server says itself, or what its clients give up', async () => {
    path.upstream.answer = (_, response) => response.writeHead(503, { 'retry-after': '9' }).end('{"kind":"Status"}');
    for (let at = 0; at < 2 * failureThreshold; at++) expect((await ask()).text).to.equal('{"kind":"Status"}');
    path.upstream.answer = ({ socket }) => socket.destroy();
    for (let at = 0; at < 2 * failureThreshold; at++) expect(codeIn((await ask()).text)).to.equal('upstream_reset');
    path.upstream.answer = () => {};
    const { received } = path.upstream;
    for (let at = 0; at < 2 * failureThreshold; at++) {
      const { length } = received;
      const call = path.gateway.client('http/1.1').call({ path: PODS });
      await until(() => received.length > length);
      call.cancel();
      await until(() => path.gateway.isQuiet);
    }
    expect(state()).to.include({ state: 'closed', openings: 0 });
  });

  it('does not open for one lost session, however many requests it took', async () => {
    path.upstream.answer = () => {};
    const calls = Array.from({ length: 20 }, () => ask({ method: 'POST', body: '{}' }));
    await until(() => path.upstream.received.length === 20);
    await path.break();
    await path.mend();
    for (const { status } of await Promise.all(calls)) expect(status).to.equal(504);
    expect(state()).to.include({ state: 'closed' });
    path.upstream.answer = (_, response) => response.end('pods');
    expect((await ask()).text).to.equal('pods');
  });

  it('opens when sessions break under requests again and again', async () => {
    path.upstream.answer = () => {};
    for (let at = 0; at < failureThreshold; at++) {
      const call = ask({ method: 'POST', body: '{}' });
      await until(() => path.upstream.received.length === at + 1);
      await path.break();
      await path.mend();
      expect((await call).status).to.equal(504);
    }
    expect(state()).to.include({ state: 'open' });
    expect(path.gateway.gateway.facts('c1').circuit?.cause).to.contain('the session was lost: ');
    expect(codeIn((await ask()).text)).to.equal('circuit_open');
  });

  it('leaves streams that run alone', async () => {
    let watched: (text: string) => void = () => {};
    path.upstream.answer = (_, response) => {
      response.writeHead(200).write('first');
      watched = (text) => response.end(text);
    };
    const watch = await path.gateway.client('h2').call({ path: `${PODS}?watch=true` }).answer;
    expect(await nextText(watch.body)).to.equal('first');
    breakWay();
    for (let at = 0; at < failureThreshold; at++) await ask();
    expect(state()?.state).to.equal('open');
    const rest = bodyOf(watch);
    watched('last');
    expect(await rest).to.equal('last');
  });

  it('sends nothing but what may be asked when the tunnel is deleted meanwhile, and keeps nothing of it', async () => {
    await trip();
    path.gateway.views.delete('c1');
    path.gateway.gateway.tunnelChanged('c1');
    await until(() => path.gateway.counts.sessions === 0);
    path.gateway.clock.advance(openMs + ASK_AFTER_MS);
    expect(path.gateway.gateway.circuits()).to.deep.equal([]);
    path.gateway.addTunnel('c1');
    expect(state()).to.include({ state: 'closed', openings: 0 });
    expect(asked()).to.deep.equal([]);
  });
});
