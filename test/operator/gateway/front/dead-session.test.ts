import { expect } from 'chai';
import { GatewayFixture } from '../../../support/gateway-fixture.ts';
import { BEGINNING, data, Flag, frame, headers, RawHttp2, Type } from '../../../support/raw-http2.ts';
import { turns, until } from '../../../support/turns.ts';

const WATCH = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'g'],
  [':path', '/clusters/c1/api/v1/pods?watch=1'],
  ['authorization', 'Bearer alice'],
] as const;
const TEN_MINUTES_MS = 600_000;

describe('operator/gateway/front/dead-session', function () {
  this.timeout(30_000);
  let fixture: GatewayFixture;
  let agent: Awaited<ReturnType<GatewayFixture['agent']>>;

  beforeEach(async () => {
    fixture = await GatewayFixture.start();
    agent = await fixture.agent({ serve: (served) => served.stream.sendHead({ status: 200, headers: [] }) });
  });
  afterEach(() => fixture.stop());

  /** A connection with a watch whose head has come. Its end is the test's to say. */
  async function watching(): Promise<RawHttp2> {
    const connection = new RawHttp2(await fixture.raw('h2', { allowHalfOpen: true }));
    connection.send(BEGINNING, headers(1, WATCH));
    await until(() => connection.statusOf(1) === 200);
    return connection;
  }

  it('ends a connection, with its streams, whose client broke the protocol: Node says GOAWAY and no more', async () => {
    const connection = await watching();
    const served = await agent.request();
    connection.send(data(0, 'x'));
    await until(() => connection.goneAway !== undefined);
    await turns();
    expect(fixture.counts).to.include({ connections: 2, requests: 1 });
    await fixture.pass(90_000);
    await until(() => fixture.counts.connections === 1 && fixture.isQuiet);
    expect(served.isClosed).to.equal(true);
  });

  it('does so when that client has gone, which Node does not notice either', async () => {
    const connection = await watching();
    connection.send(data(0, 'x'));
    await until(() => connection.goneAway !== undefined);
    connection.raw.reset();
    await fixture.pass(90_000);
    await until(() => fixture.counts.connections === 1 && fixture.isQuiet);
  });

  it('ends a connection that is closed on our side only', async () => {
    const connection = new RawHttp2(await fixture.raw('h2', { allowHalfOpen: true }));
    connection.send(BEGINNING);
    await turns();
    await fixture.pass(90_000);
    await until(() => connection.raw.hasEnded);
    expect(fixture.counts.connections).to.equal(2);
    await fixture.pass(30_000);
    await until(() => fixture.counts.connections === 1);
  });

  it('ends a connection whose client answers no PING for five minutes', async () => {
    const connection = await watching();
    await fixture.pass(300_000);
    expect(fixture.counts.requests).to.equal(1);
    expect(connection.frames.filter(({ type }) => type === Type.Ping)).to.have.length(9);
    await fixture.pass(60_000);
    await until(() => fixture.counts.connections === 1 && fixture.isQuiet);
  });

  it('keeps a quiet watch whose client answers them', async () => {
    const watch = fixture.client('h2').call({ path: '/clusters/c1/api/v1/pods?watch=1' });
    expect((await watch.answer).status).to.equal(200);
    await fixture.pass(TEN_MINUTES_MS);
    expect(fixture.counts).to.include({ connections: 2, requests: 1 });
    watch.cancel();
    await until(() => fixture.isQuiet);
  });

  it('sends no PING to a client that speaks', async () => {
    const connection = await watching();
    for (let at = 0; at < 20; at++) {
      connection.send(frame(Type.Ping, 0, 0, Buffer.alloc(8)));
      await turns(5);
      await fixture.pass(15_000);
    }
    const asked = connection.frames.filter(({ type, flags }) => type === Type.Ping && (flags & Flag.Ack) === 0);
    expect(asked).to.have.length(0);
    connection.raw.reset();
    await until(() => fixture.isQuiet);
  });
});
