import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import type { WebSocket } from 'ws';
import { MAX_SESSIONS_PER_TUNNEL } from '../../../../operator/gateway/sessions/admit-agent.ts';
import { ErrorCode, FrameType } from '../../../../tunnel/wire/codes.ts';
import { encode, packMessage } from '../../../../tunnel/wire/encode.ts';
import { bodyOf, GatewayFixture, SETTINGS, whole } from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';

const PODS = '/clusters/c1/api/v1/pods';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;

describe('operator/gateway/sessions/hub', function () {
  this.timeout(BUSY_MACHINE_MS);
  let fixture: GatewayFixture;
  beforeEach(async () => {
    fixture = await GatewayFixture.start();
  });
  afterEach(() => fixture.stopQuiet());

  /** The HTTP answer to an upgrade that was refused. */
  async function refusal(socket: WebSocket) {
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    let text = '';
    for await (const chunk of response) text += chunk;
    const body = JSON.parse(text);
    expect(body).to.include({ kind: 'Status', status: 'Failure', code: response.statusCode });
    expect(response.headers).to.include({ 'content-type': 'application/json', connection: 'close' });
    return { code: body.code, cause: body.details.causes[0].reason, retryAfter: response.headers['retry-after'] };
  }

  it('refuses an agent without a token', async () => {
    expect(await refusal(fixture.dial({}))).to.include({ code: 401, cause: 'unauthorized' });
  });

  it('refuses an agent with a token that no key proves', async () => {
    const token = fixture.mint();
    const forged = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;
    for (const bad of ['ct1.x', 'alice', forged]) {
      expect(await refusal(fixture.dial({ token: bad }))).to.include({ code: 401, cause: 'unauthorized' });
    }
  });

  it('refuses another subprotocol', async () => {
    const socket = fixture.dial({ token: fixture.mint(), protocol: 'clustertunnel.v0' });
    expect(await refusal(socket)).to.include({ code: 400, cause: 'bad_request' });
  });

  it('refuses a browser', async () => {
    const socket = fixture.dial({ token: fixture.mint(), origin: 'https://evil.example.com' });
    expect(await refusal(socket)).to.include({ code: 403, cause: 'forbidden' });
  });

  it('refuses tokens of tunnels that are gone, deleted, or namesakes', async () => {
    fixture.addTunnel('leaving', { isDeleting: true });
    for (const token of [fixture.mint('gone'), fixture.mint('leaving'), fixture.mint('c1', 'uid-of-the-first-c1')]) {
      expect(await refusal(fixture.dial({ token }))).to.include({ code: 401, cause: 'unauthorized' });
    }
  });

  it('refuses a session more than a tunnel may have', async () => {
    for (let count = 0; count < MAX_SESSIONS_PER_TUNNEL; count++) await fixture.agent();
    const { code, cause, retryAfter } = await refusal(fixture.dial({ token: fixture.mint() }));
    expect({ code, cause, retryAfter }).to.deep.equal({ code: 429, cause: 'stream_limit', retryAfter: '1' });
  });

  it('refuses agents while it drains, and says when to come back', async () => {
    const running = await fixture.agent();
    const answer = whole(fixture.client('http/1.1'), { path: PODS });
    const served = await running.request();
    const raw = await fixture.raw();
    raw.write('GET /nowhere HTTP/1.1\r\nHost: g\r\nX-Slow');
    await turns();
    const drained = fixture.gateway.drain(new AbortController().signal);
    raw.write(': 1\r\n\r\n');
    expect(await raw.said('draining')).to.match(/^HTTP\/1\.1 429 /);
    served.answer(200);
    await answer;
    await until(() => fixture.counts.requests === 0);
    fixture.clock.advance(100);
    await drained;
  });

  it('gives up an agent that never greets', async () => {
    const socket = fixture.dial({ token: fixture.mint() });
    await once(socket, 'open');
    await until(() => fixture.counts.greeting === 1);
    fixture.clock.advance(5_000);
    await once(socket, 'close');
    expect(fixture.counts).to.include({ greeting: 0, sessions: 0 });
  });

  it('counts an agent that leaves before it greets only once', async () => {
    for (let at = 0; at < 3; at++) {
      const socket = fixture.dial({ token: fixture.mint() });
      await once(socket, 'open');
      await until(() => fixture.counts.greeting === 1);
      socket.terminate();
      await until(() => fixture.counts.greeting === 0);
    }
    await fixture.agent();
    expect(fixture.counts).to.include({ greeting: 0, sessions: 1 });
  });

  const hello = (rest: object = {}) =>
    packMessage([
      encode({
        type: FrameType.Hello,
        document: {
          versions: [1],
          features: [],
          instanceId: 'i',
          agentVersion: 'v',
          slots: { ordinary: 1, longRunning: 1 },
          ...rest,
        },
      }),
    ]);

  it('takes no session whose tunnel was deleted between upgrade and greeting', async () => {
    const socket = fixture.dial({ token: fixture.mint() });
    await once(socket, 'open');
    fixture.views.delete('c1');
    fixture.gateway.tunnelChanged('c1');
    socket.send(hello());
    await once(socket, 'close');
    expect(fixture.counts).to.include({ greeting: 0, sessions: 0 });
  });

  it('tells an agent that greets during a drain to leave', async () => {
    const running = await fixture.agent();
    const answer = whole(fixture.client('http/1.1'), { path: PODS });
    const served = await running.request();
    const socket = fixture.dial({ token: fixture.mint() });
    await once(socket, 'open');
    const messages: Buffer[] = [];
    socket.on('message', (message) => messages.push(message as Buffer));
    const drained = fixture.gateway.drain(new AbortController().signal);
    socket.send(hello());
    await once(socket, 'close');
    expect(Buffer.concat(messages).toString('latin1')).to.contain('the gateway is leaving');
    served.answer(200, [], 'done');
    expect((await answer).text).to.equal('done');
    await until(() => fixture.counts.requests === 0);
    fixture.clock.advance(100);
    await drained;
  });

  it('configures an agent with what the tunnel says when it greets, and again when that changes', async () => {
    const token = fixture.mint();
    const socket = fixture.dial({ token });
    await once(socket, 'open');
    fixture.addTunnel('c1', { settings: { ...SETTINGS, generation: 2 } });
    const messages: Buffer[] = [];
    socket.on('message', (message) => messages.push(message as Buffer));
    socket.send(hello());
    const said = (part: string) => until(() => Buffer.concat(messages).toString('latin1').includes(part));
    await said('"generation":2');
    fixture.addTunnel('c1', { settings: { ...SETTINGS, generation: 3 } });
    fixture.gateway.tunnelChanged('c1');
    await said('"generation":3');
  });

  it('tells an agent nothing when only the status of its tunnel changed', async () => {
    const agent = await fixture.agent();
    for (const generation of [SETTINGS.generation, SETTINGS.generation, SETTINGS.generation + 1]) {
      fixture.addTunnel('c1', { settings: structuredClone({ ...SETTINGS, generation }) });
      fixture.gateway.tunnelChanged('c1');
    }
    const later = await fixture.agent();
    await until(() => agent.configs.length > 1);
    await turns();
    expect(agent.configs.map(({ generation }) => generation)).to.deep.equal([1, 2]);
    expect(later.configs).to.have.length(1);
  });

  it('lets running requests finish at a tunnel that is being deleted, and takes no more', async () => {
    const agent = await fixture.agent();
    const running = whole(fixture.client('http/1.1'), { path: PODS });
    const served = await agent.request();
    fixture.addTunnel('c1', { isDeleting: true });
    fixture.gateway.tunnelChanged('c1');
    await until(() => agent.goaway !== undefined);
    expect(agent.goaway?.code).to.equal(ErrorCode.Revoked);
    expect((await whole(fixture.client('http/1.1'), { path: PODS })).status).to.equal(404);
    served.answer(200, [], 'done');
    expect((await running).text).to.equal('done');
    await until(() => fixture.counts.sessions === 0);
  });

  it('cuts what still runs at a tunnel that is being deleted when the time to drain is over', async () => {
    const agent = await fixture.agent();
    const running = whole(fixture.client('http/1.1'), { path: PODS });
    await agent.request();
    fixture.addTunnel('c1', { isDeleting: true });
    fixture.gateway.tunnelChanged('c1');
    fixture.gateway.tunnelChanged('c1');
    await until(() => agent.goaway !== undefined);
    await fixture.pass(SETTINGS.timeouts.drainMs);
    expect((await running).status).to.equal(503);
    await until(() => fixture.counts.sessions === 0 && agent.end !== undefined);
  });

  describe('of a suspended tunnel', () => {
    const suspend = (isSuspended = true) => {
      fixture.addTunnel('c1', { isSuspended });
      fixture.gateway.tunnelChanged('c1');
    };
    const SUSPENDED = 'tunnel "c1" is suspended: set spec.suspend to false to use it';

    it('lets running requests finish, and takes no more', async () => {
      const agent = await fixture.agent();
      const running = whole(fixture.client('http/1.1'), { path: PODS });
      const served = await agent.request();
      suspend();
      await until(() => agent.goaway !== undefined);
      expect(agent.goaway).to.include({ code: ErrorCode.Revoked, reason: 'the tunnel is suspended' });
      for (const path of [PODS, `${PODS}?watch=1`]) {
        const { status, headers, text } = await whole(fixture.client('http/1.1'), { path });
        expect([status, headers['retry-after']]).to.deep.equal([503, undefined]);
        expect(JSON.parse(text).details.causes[0]).to.deep.equal({
          reason: 'cluster_offline',
          field: 'tunnel',
          message: SUSPENDED,
        });
      }
      served.answer(200, [], 'done');
      expect((await running).text).to.equal('done');
      await until(() => fixture.counts.sessions === 0);
      expect(fixture.clock.pending).to.equal(0);
    });

    it('lets nobody wait', async () => {
      await fixture.agent({ slots: { ordinary: 0, longRunning: 0 } });
      const answers = [PODS, `${PODS}?watch=1`].map((path) => whole(fixture.client('http/1.1'), { path }));
      await until(() => fixture.counts.waiting === 2);
      suspend();
      for (const answer of answers) expect(await answer).to.include({ status: 503 });
      for (const answer of answers) expect((await answer).text).to.contain(JSON.stringify(SUSPENDED).slice(1, -1));
    });

    it('ends watches cleanly when the time to drain is over', async () => {
      const agent = await fixture.agent({
        serve: (served) => served.stream.sendHead({ status: 200, headers: [] }),
      });
      const watch = await fixture.client('http/1.1').call({ path: `${PODS}?watch=1` }).answer;
      const text = bodyOf(watch);
      await agent.request();
      suspend();
      suspend();
      await fixture.pass(SETTINGS.timeouts.drainMs + 1_000);
      expect([watch.status, await text]).to.deep.equal([200, '']);
      await until(() => fixture.counts.sessions === 0);
    });

    it('refuses its agents with 503, which is no rejection of their token, until it is taken back', async () => {
      suspend();
      expect(await refusal(fixture.dial({ token: fixture.mint() }))).to.deep.equal({
        code: 503,
        cause: 'cluster_offline',
        retryAfter: undefined,
      });
      suspend(false);
      await fixture.agent({ serve: (served) => served.answer(200) });
      expect(await whole(fixture.client('http/1.1'), { path: PODS })).to.include({ status: 200 });
    });

    it('tells an agent to leave that connected before and greets afterwards', async () => {
      const socket = fixture.dial({ token: fixture.mint() });
      await once(socket, 'open');
      const messages: Buffer[] = [];
      socket.on('message', (message) => messages.push(message as Buffer));
      suspend();
      socket.send(hello());
      await once(socket, 'close');
      expect(Buffer.concat(messages).toString('latin1')).to.contain('the tunnel is suspended');
      expect(fixture.counts).to.include({ greeting: 0, sessions: 0 });
    });
  });

  it('drops the sessions and the waiting requests of a deleted tunnel', async () => {
    const agent = await fixture.agent({ slots: { ordinary: 0, longRunning: 0 } });
    const answer = whole(fixture.client('http/1.1'), { path: PODS });
    await until(() => fixture.counts.waiting === 1);
    fixture.views.delete('c1');
    fixture.gateway.tunnelChanged('c1');
    const { status, text } = await answer;
    expect(status).to.equal(404);
    expect(JSON.parse(text).message).to.match(/^clustertunnels\.clustertunnel\.io "c1" not found/);
    await until(() => agent.end !== undefined);
    expect(fixture.gateway.facts('c1')).to.deep.equal({ links: [], lastDisconnect: undefined, awaySinceMs: undefined });
  });

  it('answers 404 to who waits for a tunnel that is being deleted: it takes no more', async () => {
    const agent = await fixture.agent({ slots: { ordinary: 0, longRunning: 0 } });
    const answers = [PODS, `${PODS}?watch=1`].map((path) => whole(fixture.client('http/1.1'), { path }));
    await until(() => fixture.counts.waiting === 2);
    fixture.addTunnel('c1', { isDeleting: true });
    fixture.gateway.tunnelChanged('c1');
    for (const answer of answers) expect((await answer).status).to.equal(404);
    await until(() => agent.end !== undefined);
  });

  it('drops the sessions of a namesake: its agents were let in for another tunnel', async () => {
    const agent = await fixture.agent();
    fixture.addTunnel('c1', { uid: 'uid-of-another' });
    fixture.gateway.tunnelChanged('c1');
    await until(() => agent.end !== undefined);
    expect(agent.end).to.include({ code: ErrorCode.Revoked });
    expect(fixture.counts.sessions).to.equal(0);
  });

  it('survives any HEALTH, and reads what is wrong as empty', async () => {
    const agent = await fixture.agent();
    const report = () => fixture.gateway.facts('c1').links[0]?.health?.report;
    for (const document of [{}, { k8sHealthy: 'yes', latencyMs: -1, reason: 7 }, { message: 'x'.repeat(3_000) }]) {
      agent.session.health(document);
    }
    await until(() => report()?.message.length === 512);
    expect(report()).to.include({ k8sHealthy: false, reason: 'Unknown', latencyMs: 0 });
    expect(fixture.counts.sessions).to.equal(1);
  });

  it('is not led by the number of slots: however many there are, the budget bounds the streams', async () => {
    await fixture.stop();
    fixture = await GatewayFixture.start({ maxBufferBytes: 64 * 1024 });
    const agent = await fixture.agent({ slots: { ordinary: 60_000, longRunning: 60_000 } });
    await turns();
    const client = fixture.client('h2');
    const answers = Array.from({ length: 5 }, () => whole(client, { path: PODS }));
    await until(() => fixture.counts.waiting === 1);
    expect(fixture.counts).to.include({ streams: 4, budgetBytes: 64 * 1024 });
    for (let at = 0; at < 5; at++) (await agent.request(at)).answer(200);
    for (const answer of answers) expect((await answer).status).to.equal(200);
  });

  const HOSTILE: [string, Uint8Array][] = [
    ['no frame at all', Buffer.from('hello')],
    [
      'HELLO that is no JSON',
      Buffer.concat([Buffer.from([0, 0, 1, FrameType.Hello, 0, 0, 0, 0, 0]), Buffer.from('{')]),
    ],
    ['HELLO without slots', hello({ slots: null })],
    ['HELLO with slots below zero', hello({ slots: { ordinary: -1, longRunning: 0 } })],
    ['HELLO with more slots than any agent has', hello({ slots: { ordinary: 65_537, longRunning: 0 } })],
    ['HELLO of a connection that is no number', hello({ connection: 'first' })],
    ['HELLO with a session before that is none', hello({ previous: { sessionId: 7, lastStreamId: 1 } })],
    ['HELLO of a version of nobody', hello({ versions: [99] })],
    [
      'DATA before HELLO',
      packMessage([encode({ type: FrameType.Data, streamId: 1, isEnd: false, data: Buffer.from('x') })]),
    ],
    ['two HELLO', Buffer.concat([hello(), hello()])],
    [
      'an answer to no request',
      Buffer.concat([
        hello(),
        packMessage([encode({ type: FrameType.Head, streamId: 9, isEnd: true, head: { status: 200, headers: [] } })]),
      ]),
    ],
    [
      'OPEN',
      Buffer.concat([
        hello(),
        packMessage([encode({ type: FrameType.Window, streamId: 2 ** 31 - 1, creditBytes: 1 })]),
      ]),
    ],
  ];
  for (const [what, bytes] of HOSTILE) {
    it(`ends the session of an agent that sends ${what}, and nothing else`, async () => {
      const socket = fixture.dial({ token: fixture.mint() });
      await once(socket, 'open');
      socket.send(bytes);
      await once(socket, 'close');
      await until(() => fixture.counts.sessions === 0 && fixture.counts.greeting === 0);
      const agent = await fixture.agent({ serve: (served) => served.answer(200) });
      expect((await whole(fixture.client('http/1.1'), { path: PODS })).status).to.equal(200);
      expect(agent.end).to.equal(undefined);
    });
  }

  it('ends the session of an agent that sends more than its credit, and cuts the client', async () => {
    const socket = fixture.dial({ token: fixture.mint() });
    await once(socket, 'open');
    socket.send(hello());
    await until(() => fixture.counts.sessions === 1);
    const call = fixture.client('http/1.1').call({ path: PODS });
    await until(() => fixture.counts.streams === 1);
    await turns();
    const data = Buffer.alloc(60_000);
    socket.send(
      packMessage([
        encode({ type: FrameType.Head, streamId: 1, isEnd: false, head: { status: 200, headers: [] } }),
        encode({ type: FrameType.Data, streamId: 1, isEnd: false, data }),
      ]),
    );
    await once(socket, 'close');
    await call.answer.catch(() => {});
    await until(() => fixture.isQuiet);
  });
});
