import { expect } from 'chai';
import type { AdmissionSettings } from '../../crds/admission-settings.ts';
import type { AgentSettings } from '../../crds/agent-settings.ts';
import { type Call, type Client, SETTINGS, whole } from '../support/gateway-fixture.ts';
import { turns, until } from '../support/turns.ts';
import { WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const WATCH = `${PODS}?watch=true`;
const MEBIBYTE = 2 ** 20;
const ADMISSION: AdmissionSettings = { maxQueuedRequests: 2_000, rateLimit: { requestsPerSecond: 500, burst: 1_000 } };

interface Change {
  readonly limits?: Partial<AgentSettings['limits']>;
  readonly timeouts?: Partial<AgentSettings['timeouts']>;
  readonly admission?: Partial<AdmissionSettings>;
}

describe('tunnel-path/live-limits', function () {
  this.timeout(20_000);
  let path: WholePath;
  let client: Client;
  /** Ends what runs at the target, in the order of coming. */
  let finish: (() => void)[];

  beforeEach(async () => {
    path = await WholePath.start();
    await until(() => path.agent.limits.current.generation === 1);
    client = path.gateway.client('h2');
    finish = [];
    path.upstream.answer = (_, response) => {
      response.flushHeaders();
      finish.push(() => response.end('whole'));
    };
  });
  afterEach(async () => {
    for (const end of finish) end();
    await path.stop();
  });

  /** The CR changes, and running gateway and agent know. */
  async function change({ limits, timeouts, admission }: Change): Promise<void> {
    const view = path.gateway.views.get('c1');
    if (view === undefined) throw new Error('no tunnel');
    const { settings } = view;
    const generation = settings.generation + 1;
    path.gateway.addTunnel('c1', {
      settings: {
        ...settings,
        generation,
        limits: { ...settings.limits, ...limits },
        timeouts: { ...settings.timeouts, ...timeouts },
      },
      admission: { ...(view.admission ?? ADMISSION), ...admission },
    });
    path.gateway.gateway.tunnelChanged('c1');
    await until(() => path.agent.limits.current.generation === generation);
  }

  const calls = (count: number, where = PODS): Call[] =>
    Array.from({ length: count }, () => client.call({ path: where }));
  const texts = (of: readonly Call[]) =>
    Promise.all(of.map(async ({ answer }) => (await bodyText(await answer)).toString()));
  const running = (count: number) => until(() => path.agent.busy === count && finish.length >= count);
  const waiting = (count: number) => until(() => path.gateway.counts.waiting === count);
  const endAll = async () => {
    while (path.gateway.counts.requests > 0) {
      for (const end of finish.splice(0)) end();
      await turns(1);
    }
  };
  const codeOf = async (ask = PODS) => {
    const { status, headers, text } = await whole(client, { path: ask });
    return { status, retryAfter: headers['retry-after'], code: JSON.parse(text).details.causes[0].reason };
  };

  for (const { name, where, limit } of [
    { name: 'maxConcurrentRequests', where: PODS, limit: (workers: number) => ({ maxConcurrentRequests: workers }) },
    { name: 'maxLongRunningRequests', where: WATCH, limit: (workers: number) => ({ maxLongRunningRequests: workers }) },
  ] as const) {
    it(`${name}: fewer workers end nothing and refuse nobody, more begin at once`, async () => {
      const first = calls(6, where);
      await running(6);
      await change({ limits: limit(2) });
      const next = calls(20, where);
      await waiting(20);
      expect(path.agent.busy, 'what ran goes on').to.equal(6);
      for (const end of finish.splice(0, 5)) end();
      await until(() => path.agent.busy <= 2);
      await turns();
      expect(path.agent.busy, 'one of old and one of new').to.equal(2);
      expect(path.upstream.received).to.have.length(7);
      await change({ limits: limit(12) });
      await until(() => path.agent.busy === 12);
      expect(path.gateway.counts.waiting).to.equal(9);
      const all = texts([...first, ...next]);
      await endAll();
      expect(new Set(await all)).to.deep.equal(new Set(['whole']));
      expect(path.gateway.refused).to.deep.equal([]);
    });
  }

  it('maxQueuedRequests: who waits stays, who comes is told by the new bound', async () => {
    await change({ limits: { maxConcurrentRequests: 2 } });
    const all = calls(8);
    await running(2);
    await waiting(6);
    await change({ admission: { maxQueuedRequests: 3 } });
    expect(path.gateway.counts.waiting).to.equal(6);
    expect(await codeOf()).to.deep.equal({ status: 429, retryAfter: '1', code: 'queue_full' });
    await change({ admission: { maxQueuedRequests: 7 } });
    all.push(...calls(1));
    await waiting(7);
    expect(await codeOf()).to.include({ code: 'queue_full' });
    const ended = texts(all);
    await endAll();
    expect(new Set(await ended)).to.deep.equal(new Set(['whole']));
  });

  it('maxStreamsPerSession: what runs goes on, nobody more comes until there is room', async () => {
    const watches = calls(10, WATCH);
    await running(10);
    await change({ limits: { maxStreamsPerSession: 5 } });
    expect(await codeOf()).to.deep.equal({ status: 429, retryAfter: '1', code: 'stream_limit' });
    expect(path.agent.busy).to.equal(10);
    await change({ limits: { maxStreamsPerSession: 11 } });
    const more = calls(1);
    await running(11);
    expect(await codeOf()).to.include({ code: 'stream_limit' });
    const ended = texts([...watches, ...more]);
    await endAll();
    expect(new Set(await ended)).to.deep.equal(new Set(['whole']));
  });

  it('maxStreamsPerSession: who waited while it was large goes when a stream ends', async () => {
    await change({ limits: { maxConcurrentRequests: 4 } });
    const all = calls(10);
    await running(4);
    await waiting(6);
    await change({ limits: { maxConcurrentRequests: 64, maxStreamsPerSession: 2 } });
    expect([path.gateway.counts.waiting, path.agent.busy]).to.deep.equal([6, 4]);
    const ended = texts(all);
    await endAll();
    expect(new Set(await ended)).to.deep.equal(new Set(['whole']));
  });

  it('rateLimit: the next request counts by the new one', async () => {
    const watches = calls(5, WATCH);
    await running(5);
    await change({ admission: { rateLimit: { requestsPerSecond: 1, burst: 1 } } });
    const one = calls(1);
    await running(6);
    expect(await codeOf()).to.deep.equal({ status: 429, retryAfter: '1', code: 'rate_limited' });
    await change({ admission: ADMISSION });
    path.gateway.clock.advance(10);
    const more = calls(5);
    await running(11);
    const ended = texts([...watches, ...one, ...more]);
    await endAll();
    expect(new Set(await ended)).to.deep.equal(new Set(['whole']));
  });

  it('maxStreamBufferBytes and maxBufferBytes: bounds of what runs, at both ends', async () => {
    const watches = calls(10, WATCH);
    await running(10);
    await change({ limits: { maxStreamBufferBytes: MEBIBYTE / 16, maxBufferBytes: MEBIBYTE / 16 } });
    const [link] = path.gateway.gateway.facts('c1').links;
    const windows = [link?.session, ...path.agent.sessions].map((end) => end?.session.settings.maxWindowBytes);
    expect(windows).to.deep.equal([MEBIBYTE / 16, MEBIBYTE / 16]);
    expect(path.agent.budget.limitBytes).to.equal(MEBIBYTE / 16);
    expect(await codeOf(), 'ten streams hold more').to.deep.equal({
      status: 429,
      retryAfter: '1',
      code: 'stream_limit',
    });
    await change({ limits: SETTINGS.limits });
    const more = calls(5);
    await running(15);
    const ended = texts([...watches, ...more]);
    await endAll();
    expect(new Set(await ended)).to.deep.equal(new Set(['whole']));
  });

  it('timeouts.request: of who comes; who runs has the time that he was given', async () => {
    path.upstream.answer = () => {};
    const old = whole(client, { path: PODS });
    await until(() => path.agent.busy === 1);
    await change({ timeouts: { requestMs: 2_000 } });
    const young = whole(client, { path: PODS });
    await until(() => path.agent.busy === 2);
    path.gateway.clock.advance(2_000);
    expect((await young).status).to.equal(504);
    expect(path.agent.busy).to.equal(1);
    await path.gateway.pass(118_000);
    expect((await old).status).to.equal(504);
  });

  it('a tunnel that says less about itself than before bounds nothing that runs', async () => {
    const watches = calls(50, WATCH);
    await running(50);
    const small = { maxConcurrentRequests: 1, maxLongRunningRequests: 1, maxStreamsPerSession: 1 };
    await change({
      limits: { ...small, maxStreamBufferBytes: 65_536, maxBufferBytes: MEBIBYTE },
      timeouts: { requestMs: 1_000, backpressureMs: 1_000, upstreamHeadersMs: 100, disconnectGraceMs: 0 },
      admission: { maxQueuedRequests: 0, rateLimit: { requestsPerSecond: 1, burst: 1 } },
    });
    await path.gateway.pass(60_000);
    expect(path.agent.busy).to.equal(50);
    const ended = texts(watches);
    await endAll();
    expect(new Set(await ended)).to.deep.equal(new Set(['whole']));
  });
});

async function bodyText({ body }: { body: NodeJS.ReadableStream }): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks);
}
