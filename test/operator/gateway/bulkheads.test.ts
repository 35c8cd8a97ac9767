import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { INITIAL_WINDOW_BYTES } from '../../../tunnel/wire/limits.ts';
import { type Call, type Client, GatewayFixture, SETTINGS, whole } from '../../support/gateway-fixture.ts';
import { until } from '../../support/turns.ts';

/** Streams that one HTTP/2 connection may have, and some to spare. */
const PER_CONNECTION = 200;
const MAX_STREAMS = 1_024;
/** More than the budget has room for. */
const CROWD = 1_200;
const MANY_WORKERS = { ...SETTINGS, limits: { ...SETTINGS.limits, maxConcurrentRequests: 2_000 } };

describe('operator/gateway: bulkheads', function () {
  this.timeout(20_000);
  let fixture: GatewayFixture;
  beforeEach(async () => {
    fixture = await GatewayFixture.start({ maxBufferBytes: MAX_STREAMS * INITIAL_WINDOW_BYTES });
    for (const name of ['c1', 'c2', 'c3']) fixture.addTunnel(name, { settings: MANY_WORKERS });
  });
  afterEach(() => fixture.stop());

  /** So many requests of one tunnel, and nobody reads what comes. */
  function crowd(tunnel: string, count: number, query = ''): Call[] {
    let client: Client;
    return Array.from({ length: count }, (_, at) => {
      if (at % PER_CONNECTION === 0) client = fixture.client('h2');
      return client.call({ path: `/clusters/${tunnel}/api/v1/pods${query}` });
    });
  }

  const answers = (tunnel: string) => fixture.agent({ tunnel, serve: (served) => served.answer(200, [], 'hello') });
  const get = (tunnel: string) => whole(fixture.client('h2'), { path: `/clusters/${tunnel}/api` });

  it('a tunnel with more stalled streams than there is memory leaves the others what they need', async () => {
    const slots = { ordinary: 2_000, longRunning: 2_000 };
    const stalled = await fixture.agent({ tunnel: 'c1', slots });
    await answers('c2');
    const calls = crowd('c1', CROWD);
    await until(() => fixture.counts.streams + fixture.counts.waiting === CROWD);
    expect(fixture.counts.waiting, 'the budget has an end').to.be.above(0);
    expect(fixture.counts.streams, 'alone it may take most of it').to.be.above(MAX_STREAMS / 2);

    for (let at = 0; at < 20; at++) expect((await get('c2')).text).to.equal('hello');

    for (const call of calls) call.cancel();
    await until(() => fixture.isQuiet);
    await until(() => stalled.served.every(({ isClosed }) => isClosed));
  });

  it('one that is away, with more direct requests than there is memory, does not either', async () => {
    const accepted: Socket[] = [];
    const silent = createServer((socket) => accepted.push(socket.on('error', () => {})));
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const { port } = silent.address() as AddressInfo;
    const nothing = { caPem: undefined, tlsServerName: undefined, certificatePem: undefined, keyPem: undefined };
    fixture.kubeconfigs.set('away/kubeconfig', { server: `https://127.0.0.1:${port}`, token: 'hub', ...nothing });
    fixture.addTunnel('c1', { settings: MANY_WORKERS, fallback: { name: 'away', key: 'kubeconfig' } });
    fixture.gateway.tunnelChanged('c1');
    await answers('c2');
    const calls = crowd('c1', CROWD);
    await until(() => fixture.counts.direct + fixture.counts.waiting === CROWD);
    expect(fixture.counts.direct, 'alone it may take most of it').to.be.within(MAX_STREAMS / 2, MAX_STREAMS - 1);

    for (let at = 0; at < 20; at++) expect((await get('c2')).text).to.equal('hello');

    for (const call of calls) call.cancel();
    // Whoever is in the middle of connecting holds his place until that is over.
    silent.close();
    for (const socket of accepted) socket.destroy();
    await until(() => fixture.isQuiet);
  });

  it('two of them share, and who came first gives way as its streams end', async () => {
    const slots = { ordinary: 2_000, longRunning: 2_000 };
    const [first, second] = [
      await fixture.agent({ tunnel: 'c1', slots }),
      await fixture.agent({ tunnel: 'c2', slots }),
    ];
    await answers('c3');
    const calls = [...crowd('c1', CROWD), ...crowd('c2', CROWD)];
    await until(() => fixture.counts.streams + fixture.counts.waiting === 2 * CROWD);
    const running = ({ served }: typeof first) => served.filter(({ isClosed }) => !isClosed);
    expect(running(second).length, 'not nothing').to.be.above(100);
    expect((await get('c3')).text).to.equal('hello');
    // Each stream of the first that ends makes room, and the second has less.
    for (let round = 0; round < 40 && running(second).length < running(first).length; round++) {
      for (const served of running(first).slice(0, 20)) served.answer(200);
      await until(() => fixture.counts.streams + fixture.counts.waiting <= 2 * CROWD - 20 * (round + 1));
    }
    expect(running(second).length).to.be.at.least(0.8 * running(first).length);
    expect((await get('c3')).text).to.equal('hello');
    for (const call of calls) call.cancel();
    await until(() => fixture.isQuiet);
  });

  it('who waits for memory goes on when a client has read what its agent sent long ago', async () => {
    const slots = { ordinary: 2_000, longRunning: 2_000 };
    const agent = await fixture.agent({ tunnel: 'c1', slots, keepsSlots: true });
    const [reader] = crowd('c1', 1);
    const read = await agent.request();
    read.stream.sendHead({ status: 200, headers: [] });
    await reader?.answer;
    const calls = crowd('c1', CROWD);
    await until(() => fixture.counts.streams + fixture.counts.waiting === CROWD + 1);
    const { waiting } = fixture.counts;
    reader?.cancel();
    await until(() => fixture.counts.waiting < waiting);
    for (const call of calls) call.cancel();
    await until(() => fixture.isQuiet);
  });
});
