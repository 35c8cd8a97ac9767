import { expect } from 'chai';
import { probe } from '../../agent/probe.ts';
import { type Call, type Client, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
/** As many as the tunnel of the fixture lets one agent have. */
const WORKERS = 64;

describe('tunnel-path/workers', function () {
  this.timeout(60_000);
  let path: WholePath;
  let client: Client;
  beforeEach(async () => {
    path = await WholePath.start();
    client = path.gateway.client('h2');
  });
  afterEach(() => path.stop());

  const arrived = (count: number) => until(() => path.upstream.received.length === count);
  const probing = (signal: AbortSignal) => {
    const { upstream } = path.agent;
    const asking = { token: async () => 'agent-token', onUnauthorized: () => {}, identity: () => undefined };
    return probe({ upstream, ...asking, clock: path.gateway.clock, timeoutMs: 5_000 }, signal);
  };

  for (const [stage, ask, isThere] of [
    ['before the head', { path: PODS }, async () => {}],
    [
      'in the middle of its own body',
      { path: PODS, method: 'POST', body: 'open' },
      async ({ upload }) => upload.write('x'),
    ],
    ['in the middle of the answer', { path: `${PODS}/a` }, async ({ answer }) => answer],
    ['during a watch', { path: `${PODS}?watch=true` }, async ({ answer }) => answer],
  ] as readonly [string, Parameters<Client['call']>[0], (call: Call) => Promise<unknown>][]) {
    it(`a client who goes away ${stage} frees the worker when the API server has lost its connection, not before`, async () => {
      path.upstream.answer = ({ url = '' }, response) => {
        if (url.includes('watch') || url.endsWith('/a')) response.write('part');
      };
      const call = client.call(ask);
      await isThere(call);
      await arrived(1);
      expect([path.agent.busy, path.agent.upstream.connections]).to.deep.equal([1, 1]);
      let early = 0;
      call.cancel();
      await until(() => {
        if (path.agent.busy === 0) early = path.agent.upstream.connections;
        return path.agent.busy === 0;
      });
      expect(early, 'connections that were open when the worker was free').to.equal(0);
      await until(() => path.upstream.last.isAborted);
    });
  }

  it('a probe needs no worker: users who have them all do not starve it', async () => {
    path.upstream.answer = ({ url = '' }, response) => {
      if (!url.includes('pods')) response.end('{"gitVersion":"v1.36.3"}');
    };
    const calls = Array.from({ length: WORKERS + 10 }, () => client.call({ path: PODS }));
    await arrived(WORKERS);
    expect(await probing(new AbortController().signal)).to.include({ isHealthy: true, kubernetesVersion: 'v1.36.3' });
    expect(path.gateway.counts.waiting).to.equal(10);
    for (const call of calls) call.cancel();
  });

  it('a probe that hangs takes none of the users’ workers', async () => {
    path.upstream.answer = ({ url = '' }, response) => {
      if (url.includes('pods')) response.end('served');
    };
    const stop = new AbortController();
    const found = probing(stop.signal);
    await arrived(1);
    const texts = await Promise.all(Array.from({ length: WORKERS }, () => whole(client, { path: PODS })));
    expect(new Set(texts.map(({ text }) => text))).to.deep.equal(new Set(['served']));
    stop.abort(new Error('enough'));
    expect((await found).isHealthy).to.equal(false);
  });
});
