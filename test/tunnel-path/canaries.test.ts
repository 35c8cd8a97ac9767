import { expect } from 'chai';
import { Registry } from 'prom-client';
import { AgentMetrics } from '../../agent/metrics.ts';
import { gatewayMeter, refusalCounter, registerGatewayMetrics } from '../../operator/gateway/metrics.ts';
import { type Ask, bodyOf, TOKENS } from '../support/gateway-fixture.ts';
import { LogLines } from '../support/log-lines.ts';
import { turns, until } from '../support/turns.ts';
import { EXEC, WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
/** Letters only, as no pattern of a token would find them: what is secret must not come to a log in the first place. */
const canary = (of: string) => `canary${of}canary`;
const SECRETS = {
  bearer: canary('bearer'),
  stranger: canary('stranger'),
  basic: Buffer.from(canary('basic')).toString('base64'),
  cookie: canary('cookie'),
  proxy: canary('proxy'),
  protocol: canary('protocol'),
  agent: canary('agent'),
  extra: canary('extra'),
  uid: canary('uid'),
  query: canary('query'),
  timeout: canary('timeout'),
  header: canary('header'),
  body: canary('body'),
  answer: canary('answer'),
  agentToken: '',
};

describe('tunnel-path/canaries', function () {
  this.timeout(60_000);
  let path: WholePath;
  let gatewayLog: LogLines;
  let agentLog: LogLines;
  let registry: Registry;
  /** What the gateway itself told clients. */
  let told: string[];
  beforeEach(async () => {
    gatewayLog = new LogLines();
    agentLog = new LogLines();
    registry = new Registry();
    told = [];
    const refused = refusalCounter(registry);
    const meter = gatewayMeter(registry, () => ['c1']);
    const gateway = { log: gatewayLog.log, meter, onRefused: refused };
    path = await WholePath.start({ gateway, agentLog: agentLog.log, token: async () => SECRETS.agent });
    registerGatewayMetrics(registry, path.gateway.gateway);
    path.gateway.reviewToken = async (token) => (token === SECRETS.bearer ? TOKENS['alice'] : { authenticated: false });
    SECRETS.agentToken = path.gateway.mint().split('.').at(-1) ?? '';
  });
  afterEach(() => path.stop());

  const HEADERS = {
    cookie: `session=${SECRETS.cookie}`,
    'proxy-authorization': `Basic ${SECRETS.proxy}`,
    'x-api-key': SECRETS.header,
    'x-remote-user': SECRETS.header,
    tracestate: `vendor=${SECRETS.header}`,
    baggage: SECRETS.header,
  };

  /** Asks, and notes the answer if it is the gateway's own. */
  async function ask(rest: Partial<Ask> = {}): Promise<number> {
    const { headers = {}, ...others } = rest;
    const call = path.gateway.client('http/1.1').call({
      path: `${PODS}?token=${SECRETS.query}&limit=1`,
      token: SECRETS.bearer,
      headers: { ...HEADERS, ...headers },
      ...others,
    });
    const answer = await call.answer;
    const text = await bodyOf(answer).catch(() => '');
    if (text.includes('clustertunnel') || text.includes('(trace ')) told.push(text, JSON.stringify(answer.headers));
    return answer.status;
  }

  async function seen(): Promise<string> {
    const agentMetrics = new AgentMetrics(() => ({
      ...{ sessions: 1, bufferedBytes: 0, bufferLimitBytes: 0, upstreamConnections: 0, starvedMs: 0 },
      ...{ running: NONE, queued: NONE, limit: NONE },
    }));
    for (const end of path.agent.ends) agentMetrics.exchangeEnded(end, 1);
    const { body } = await agentMetrics.render();
    agentMetrics.close();
    return [
      gatewayLog.text,
      agentLog.text,
      await registry.metrics(),
      body,
      JSON.stringify(path.agent.ends),
      ...told,
    ].join('\n');
  }
  const NONE = { ordinary: 0, longRunning: 0 };

  /** `requests` were asked: each left its line, and nobody finds a secret. */
  async function nothingIsFound(requests: number): Promise<void> {
    await until(() => gatewayLog.saying('audit').length >= requests);
    await turns();
    expect(gatewayLog.saying('audit')).to.have.length(requests);
    const text = (await seen()).toLowerCase();
    for (const [what, secret] of Object.entries(SECRETS)) {
      expect(text.includes(secret.toLowerCase()), `${what} in ${around(text, secret.toLowerCase())}`).to.equal(false);
    }
  }

  const around = (text: string, secret: string) =>
    text.slice(Math.max(0, text.indexOf(secret) - 200), text.indexOf(secret) + 60);

  it('are in nothing that a good request leaves', async () => {
    path.upstream.answer = (_, response) => {
      response.setHeader('Set-Cookie', SECRETS.answer);
      response.setHeader('X-Secret', SECRETS.answer);
      response.end(SECRETS.answer);
    };
    expect(await ask()).to.equal(200);
    expect(await ask({ method: 'POST', body: SECRETS.body })).to.equal(200);
    expect(await ask({ path: `/clusters/c1/version?token=${SECRETS.query}` })).to.equal(200);
    expect(await ask({ path: `/clusters?token=${SECRETS.query}` })).to.equal(200);
    await until(() => agentLog.saying('exchange ended').length === 3);
    await nothingIsFound(4);
  });

  it('are in nothing that a refused request leaves', async () => {
    const basic = `Basic ${SECRETS.basic}`;
    expect(await ask({ token: SECRETS.stranger })).to.equal(401);
    expect(await ask({ token: '', headers: { authorization: basic } })).to.equal(401);
    expect(await ask({ token: '', headers: { authorization: `Bearer ${SECRETS.bearer} ${SECRETS.bearer}` } })).to.equal(
      401,
    );
    expect(await ask({ path: `/clusters/nowhere/api?token=${SECRETS.query}` })).to.equal(404);
    expect(await ask({ path: `/elsewhere?token=${SECRETS.query}` })).to.equal(404);
    expect(await ask({ path: `/clusters/c1/%2e%2e/x?token=${SECRETS.query}` })).to.equal(400);
    expect(await ask({ path: `/clusters/c1/api//v1?token=${SECRETS.query}` })).to.equal(400);
    const before = told.length;
    expect(await ask({ path: `${PODS}?timeout=${SECRETS.timeout}` })).to.equal(400);
    expect(told.splice(before).join(), 'his own words, as the API server would say them').to.contain(SECRETS.timeout);
    expect(await ask({ headers: { origin: `https://${SECRETS.header}` } })).to.equal(403);
    expect(await ask({ headers: { connection: `close, authorization` } })).to.equal(400);
    expect(await ask({ headers: { 'x-trace-id': `${SECRETS.header} and more` } })).to.equal(200);
    path.gateway.reviewAccess = async () => ({ allowed: false });
    expect(await ask({ method: 'DELETE', path: `/clusters/c1/api/v1/secrets?token=${SECRETS.query}` })).to.equal(403);
    await nothingIsFound(12);
  });

  it('are in nothing that who acts as another leaves: uids and extras are not told', async () => {
    const headers = {
      'impersonate-user': 'jane',
      'impersonate-uid': SECRETS.uid,
      'impersonate-extra-scopes': [SECRETS.extra],
    };
    path.gateway.reviewAccess = async () => ({ allowed: true });
    expect(await ask({ headers })).to.equal(200);
    expect(path.upstream.last.rawHeaders.join(), 'an extra that the tunnel does not name').to.not.contain(
      SECRETS.extra,
    );
    path.gateway.reviewAccess = async (_user, name) => ({ allowed: name !== SECRETS.extra });
    const team = { 'impersonate-user': 'jane', 'impersonate-extra-team': SECRETS.extra };
    expect(await ask({ headers: team })).to.equal(403);
    expect(told.splice(0).join(), 'his own words, as the API server would say them').to.contain(SECRETS.extra);
    expect(await ask({ headers: { 'impersonate-extra-scopes': SECRETS.extra } })).to.equal(403);
    await nothingIsFound(3);
  });

  it('are in nothing that a request leaves that the target fails', async () => {
    const head = (text: string) => (path.upstream.answer = (request) => void request.socket.end(text));
    head(`HTTP/1.1 200 OK\r\nX: ${SECRETS.answer}\r\nbad header ${SECRETS.answer}\r\n\r\n`);
    expect(await ask()).to.equal(502);
    head(`${SECRETS.answer}\r\n\r\n`);
    expect(await ask()).to.equal(502);
    head(
      `HTTP/1.1 302 Found\r\nLocation: https://${SECRETS.answer}.example/?t=${SECRETS.answer}\r\nContent-Length: 0\r\n\r\n`,
    );
    expect(await ask()).to.equal(502);
    head(`HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n${SECRETS.answer}`);
    await ask().catch(() => {});
    path.upstream.answer = (request) => request.socket.destroy();
    expect(await ask({ method: 'POST', body: SECRETS.body })).to.equal(504);
    path.upstream.answer = (_, response) =>
      response.writeHead(500).end(`{"kind":"Status","message":"${SECRETS.answer}"}`);
    expect(await ask()).to.equal(500);
    path.upstream.answer = (_, response) => response.writeHead(401).end(SECRETS.answer);
    expect(await ask()).to.equal(503);
    await nothingIsFound(7);
  });

  it('are in nothing that upgrades leave, good and bad ones', async () => {
    const bearer = `base64url.bearer.authorization.k8s.io.${SECRETS.protocol}`;
    const own = [
      `Authorization: Bearer ${SECRETS.bearer}`,
      `Sec-WebSocket-Protocol: v5.channel.k8s.io, ${bearer}`,
      ...Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}`),
    ];
    const upgrade = async (target: string, lines: readonly string[] = own) => {
      const raw = await path.gateway.raw('http/1.1');
      const asking = [`GET ${target} HTTP/1.1`, 'Host: gateway', 'Connection: Upgrade', 'Upgrade: websocket', ...lines];
      raw.write(`${asking.join('\r\n')}\r\n\r\n`);
      await raw.said('\r\n\r\n');
      const [, status] = /^HTTP\/1.1 (\d+)/.exec(raw.text) ?? [];
      if (status !== '101') told.push(await raw.closed());
      raw.reset();
      return Number(status);
    };
    const exec = `/clusters/c1${EXEC}&command=${SECRETS.query}`;
    expect(await upgrade(exec)).to.equal(101);
    expect((await path.upstream.upgraded()).rawHeaders.join()).to.not.contain(SECRETS.protocol);
    expect(await upgrade(exec, own.slice(1))).to.equal(401);
    expect(await upgrade(exec, [...own, `Upgrade: ${SECRETS.header}`])).to.equal(400);
    path.upstream.script = { instead: `HTTP/1.1 101 ${SECRETS.answer}\r\nX: ${SECRETS.answer}\r\n\r\n` };
    expect(await upgrade(exec)).to.equal(502);
    path.upstream.script = { instead: `${SECRETS.answer}\r\n\r\n` };
    expect(await upgrade(exec)).to.equal(502);
    await nothingIsFound(5);
  });

  it('are in nothing that agents leave who come with a token, right or wrong', async () => {
    const right = path.gateway.mint();
    SECRETS.agentToken = right.split('.').at(-1) ?? '';
    const wrong = right.replace(/.{8}$/, 'x'.repeat(8));
    for (const token of [right, wrong, `${right} `, SECRETS.stranger]) {
      const socket = path.gateway.dial({ token });
      await new Promise((resolve) => {
        socket.once('open', resolve).once('close', resolve);
      });
      socket.terminate();
    }
    await until(() => gatewayLog.saying('agent refused').length === 2 && path.gateway.counts.greeting === 0);
    await nothingIsFound(0);
    expect(gatewayLog.text).to.not.contain(wrong.split('.').at(-1));
  });
});
