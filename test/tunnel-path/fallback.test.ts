import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { UNSAID_ACCESS } from '../../crds/access-settings.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../crds/circuit-breaker.ts';
import type { FallbackTarget } from '../../operator/gateway/fallback/target.ts';
import type { TunnelView } from '../../operator/gateway/sessions/tunnels.ts';
import { createLogger } from '../../process/log.ts';
import { type Ask, SETTINGS, whole } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { untraced } from '../support/untraced.ts';
import { BrokenPath } from './broken-path.ts';
import { ALICE, EXEC, identityIn, nextText, pour, upgradeRequest } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const GRACE_MS = SETTINGS.timeouts.disconnectGraceMs;
const REF = { name: 'prod', key: 'kubeconfig' };
/** What arrives of alice when the gateway speaks for her itself. */
const DIRECTLY = ALICE.map((text) => (text === 'Bearer agent-token' ? 'Bearer hub-token' : text));

describe('tunnel-path/fallback', function () {
  this.timeout(60_000);
  let path: BrokenPath;
  let target: FallbackTarget;

  beforeEach(async () => {
    path = await BrokenPath.start();
    const { url: server, ca: caPem } = path.upstream;
    const nothing = { tlsServerName: undefined, certificatePem: undefined, keyPem: undefined };
    target = { server, caPem, token: 'hub-token', ...nothing };
    path.gateway.kubeconfigs.set('prod/kubeconfig', target);
    change();
  });
  afterEach(() => path.stop());

  const change = (changes: Partial<TunnelView> = {}) => {
    path.gateway.addTunnel('c1', { fallback: REF, ...changes });
    path.gateway.gateway.tunnelChanged('c1');
  };
  const ask = (rest: Partial<Ask> = {}) => whole(path.gateway.client('h2'), { path: PODS, ...rest });
  const results = () => path.gateway.gateway.fallbacks().find(({ tunnel }) => tunnel === 'c1')?.results;
  const causeIn = (text: string) => JSON.parse(text).details.causes[0];
  /** The tunnel is away for longer than its grace. */
  const lose = async () => {
    await path.break();
    path.gateway.clock.advance(GRACE_MS);
    await until(() => path.dialer.state === 'backoff');
  };

  it('goes through the tunnel while that is there, directly when it is away for its grace, and through it again', async () => {
    expect((await ask()).headers['x-clustertunnel-via']).to.equal(undefined);
    await path.break();
    const early = ask();
    await until(() => path.gateway.counts.waiting === 1);
    path.gateway.clock.advance(GRACE_MS);
    const direct = await early;
    expect([direct.status, direct.text, direct.headers['x-clustertunnel-via']]).to.deep.equal([200, 'ok', 'fallback']);
    expect((await ask({ method: 'POST', body: '{}' })).headers['x-clustertunnel-via'], 'at once').to.equal('fallback');
    // The attempt that the clock began has failed.
    await until(() => path.dialer.state === 'backoff');
    await path.mend();
    expect((await ask()).headers['x-clustertunnel-via']).to.equal(undefined);
    const tokens = path.upstream.received.map(({ rawHeaders }) => identityIn(rawHeaders)[1]);
    expect(tokens).to.deep.equal(['Bearer agent-token', 'Bearer hub-token', 'Bearer hub-token', 'Bearer agent-token']);
    expect(results()).to.include({ answered: 2, failed: 0, unreachable: 0 });
  });

  it('is told the same identity and the same headers as by the agent, whatever the client claims', async () => {
    const headers = {
      'x-remote-user': 'admin',
      'x-remote-extra-scopes': 'all',
      cookie: 'a=b',
      'x-forwarded-for': '10.0.0.1',
      'x-clustertunnel-via': 'mine',
      'x-trace-id': 'trace-1',
      accept: 'application/json',
    };
    const client = { path: `${PODS}?limit=5`, headers };
    await ask(client);
    await lose();
    await ask(client);
    const [through, directly] = path.upstream.received;
    expect(directly?.url).to.equal(through?.url);
    expect(identityIn(directly?.rawHeaders ?? [])).to.deep.equal(DIRECTLY);
    const withoutToken = (lines: readonly string[] = []) =>
      untraced(lines).filter((text) => !text.startsWith('Bearer '));
    expect(withoutToken(directly?.rawHeaders)).to.deep.equal(withoutToken(through?.rawHeaders));
  });

  it('impersonates only whom the hub lets a user be', async () => {
    await lose();
    const { status, text } = await ask({ headers: { 'impersonate-user': 'root' } });
    expect([status, JSON.parse(text).reason]).to.deep.equal([403, 'Forbidden']);
    expect((await ask({ token: 'mallory' })).status).to.equal(403);
    expect(path.upstream.received).to.deep.equal([]);
  });

  it('keeps to the access of the tunnel: read-only, and whom it lets pass', async () => {
    await lose();
    change({ settings: { ...SETTINGS, access: { ...UNSAID_ACCESS, readOnly: true } } });
    expect((await ask({ method: 'POST', body: '{}' })).status).to.equal(403);
    expect((await ask()).status).to.equal(200);
    change({ settings: { ...SETTINGS, access: { ...UNSAID_ACCESS, users: ['bob'] } } });
    expect((await ask()).status).to.equal(403);
    expect(path.upstream.received).to.have.length(1);
  });

  it('acts as the user of the kubeconfig in mode Agent', async () => {
    await lose();
    change({ settings: { ...SETTINGS, access: { ...UNSAID_ACCESS, mode: 'Agent' } } });
    expect((await ask()).status).to.equal(200);
    expect(identityIn(path.upstream.last.rawHeaders)).to.deep.equal(['Authorization', 'Bearer hub-token']);
  });

  it('never sends what was sent into a session and may have run: neither writes nor reads', async () => {
    path.upstream.answer = () => {};
    const calls = [ask({ method: 'POST', body: '{}' }), ask()];
    await until(() => path.upstream.received.length === 2);
    await lose();
    const [write, read] = await Promise.all(calls);
    expect([write?.status, read?.status]).to.deep.equal([504, 503]);
    expect(path.upstream.received).to.have.length(2);
    expect(results()).to.equal(undefined);
  });

  it('goes directly while the circuit is open, also what would have been a probe, and back when it is closed', async () => {
    path.agent.upstream.reconfigure({ ca: path.gateway.ca });
    for (let at = 0; at < DEFAULT_CIRCUIT_BREAKER.failureThreshold; at++) {
      expect(causeIn((await ask({ method: 'POST', body: '{}' })).text).reason).to.equal('upstream_unreachable');
    }
    for (const rest of [{}, { method: 'POST', body: '{}' }])
      expect((await ask(rest)).headers['x-clustertunnel-via']).to.equal('fallback');
    path.gateway.clock.advance(DEFAULT_CIRCUIT_BREAKER.openMs);
    expect((await ask()).headers['x-clustertunnel-via']).to.equal('fallback');
    path.agent.upstream.reconfigure({ ca: path.upstream.ca });
    path.gateway.clock.advance(1_000);
    await until(() => path.gateway.gateway.circuits()[0]?.state === 'closed');
    expect((await ask()).headers['x-clustertunnel-via']).to.equal(undefined);
  });

  it('streams bodies both ways, watches, and cuts what its client gave up', async () => {
    await lose();
    const body = 'x'.repeat(3_000_000);
    path.upstream.answer = (request, response) => request.once('end', () => response.end(body));
    expect((await ask({ method: 'POST', body })).text.length).to.equal(body.length);
    expect(path.upstream.last.bodyBytes).to.equal(body.length);
    let isClosed = false;
    path.upstream.answer = (_, response) => {
      response.on('close', () => {
        isClosed = true;
      });
      response.writeHead(200).write('first');
    };
    const call = path.gateway.client('http/1.1').call({ path: `${PODS}?watch=true` });
    const watch = await call.answer;
    expect(await nextText(watch.body)).to.equal('first');
    expect(path.gateway.counts.direct).to.equal(1);
    call.cancel();
    await until(() => isClosed && path.gateway.counts.direct === 0);
    expect(results()).to.include({ answered: 1, cancelled: 1 });
  });

  it('passes an answer on that comes before the request has been read', async () => {
    await lose();
    const body = 'x'.repeat(3_000_000);
    path.upstream.answer = (_, response) => response.end(body);
    expect((await ask({ method: 'POST', body })).text.length).to.equal(body.length);
  });

  it('holds a source up while its client takes nothing', async () => {
    await lose();
    let written = 0;
    path.upstream.answer = (_, response) => {
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const write = () => {
        while (written < 64 * 2 ** 20 && !response.destroyed) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', write);
        }
      };
      write();
    };
    const call = path.gateway.client('h2').call({ path: `${PODS}?watch=true` });
    const { body } = await call.answer;
    body.pause();
    let before = -1;
    await until(() => {
      const isStill = before === written;
      before = written;
      return isStill;
    });
    expect(written).to.be.below(32 * 2 ** 20);
    call.cancel();
    await until(() => path.gateway.counts.direct === 0);
  });

  it('carries upgrades: bytes both ways after a 101', async () => {
    await lose();
    path.upstream.script = { run: (upgraded) => void upgraded.write('hello ') };
    const raw = await path.gateway.raw('http/1.1', { allowHalfOpen: true });
    raw.write(upgradeRequest({ path: EXEC }));
    await raw.said('hello ');
    expect(raw.text)
      .to.contain('101 Switching Protocols')
      .and.match(/x-clustertunnel-via: fallback/i);
    const upgraded = await path.upstream.upgraded();
    expect(identityIn(upgraded.rawHeaders)).to.deep.equal(DIRECTLY);
    await pour(raw.socket, Buffer.from('bye'));
    await until(() => upgraded.hasEnded);
    expect(upgraded.text).to.equal('bye');
    upgraded.end();
    await raw.closed();
  });

  it('says of a dead target what an agent would, but that it was the gateway, and reaches it when it is there', async () => {
    await lose();
    path.gateway.kubeconfigs.set('prod/kubeconfig', { ...target, caPem: path.gateway.ca });
    path.gateway.gateway.fallbackChanged('c1');
    path.gateway.changes.length = 0;
    const { status, headers, text } = await ask({ method: 'POST', body: '{}' });
    expect([status, headers['retry-after']]).to.deep.equal([503, '2']);
    expect(causeIn(text)).to.include({ reason: 'upstream_unreachable', field: 'gateway' });
    expect(causeIn(text).message).to.contain('the fallback of tunnel "c1" cannot reach the API server');
    expect(path.gateway.gateway.facts('c1').fallback?.trouble).to.contain('not signed by the expected CA');
    expect(path.gateway.changes).to.deep.equal(['c1']);
    path.gateway.kubeconfigs.set('prod/kubeconfig', target);
    path.gateway.gateway.fallbackChanged('c1');
    expect((await ask()).status).to.equal(200);
    expect(path.gateway.gateway.facts('c1').fallback).to.deep.equal({
      server: target.server,
      refused: undefined,
      trouble: undefined,
    });
  });

  it('does not change its mind about the target with each request that one dead backend of it fails', async () => {
    await lose();
    let isDead = false;
    const relay = createServer((socket) => {
      if (isDead) return void socket.destroy();
      const server = connect(Number(new URL(target.server).port), '127.0.0.1');
      socket.on('error', () => server.destroy()).pipe(server);
      server.on('error', () => socket.destroy()).pipe(socket);
    });
    await once(relay.listen(0, '127.0.0.1'), 'listening');
    const { port } = relay.address() as AddressInfo;
    // Each request connects anew.
    path.upstream.answer = (_, response) => response.writeHead(200, { connection: 'close' }).end();
    path.gateway.kubeconfigs.set('prod/kubeconfig', { ...target, server: `https://127.0.0.1:${port}` });
    path.gateway.gateway.fallbackChanged('c1');
    path.gateway.changes.length = 0;
    const statuses = async (...backends: ('dead' | 'well')[]) => {
      const seen: number[] = [];
      for (const backend of backends) {
        isDead = backend === 'dead';
        seen.push((await ask({ method: 'POST', body: '{}' })).status);
      }
      return seen;
    };
    const trouble = () => path.gateway.gateway.facts('c1').fallback?.trouble;
    try {
      expect(await statuses('well', 'dead', 'well', 'dead', 'dead')).to.deep.equal([200, 503, 200, 503, 503]);
      expect([trouble(), path.gateway.changes]).to.deep.equal([undefined, []]);
      expect(await statuses('dead', 'dead', 'well')).to.deep.equal([503, 503, 200]);
      expect(trouble()).to.be.a('string');
      expect(path.gateway.changes).to.deep.equal(['c1']);
      path.gateway.clock.advance(10_000);
      expect(trouble()).to.equal(undefined);
      expect(path.gateway.changes).to.deep.equal(['c1', 'c1']);
    } finally {
      relay.close();
    }
  });

  it('tells nobody that his own credential is bad when the kubeconfig is', async () => {
    await lose();
    path.upstream.answer = (_, response) => response.writeHead(401).end();
    const { status, text } = await ask();
    expect([status, causeIn(text).reason]).to.deep.equal([503, 'upstream_unreachable']);
    expect(causeIn(text).message).to.contain("does not accept the kubeconfig's credential (401)");
  });

  it('follows the Secret: what begins uses the new credential, what runs goes on', async () => {
    await lose();
    path.upstream.answer = (_, response) => response.writeHead(200).write('first');
    const call = path.gateway.client('http/1.1').call({ path: `${PODS}?watch=true` });
    const watch = await call.answer;
    expect(await nextText(watch.body)).to.equal('first');
    path.gateway.kubeconfigs.set('prod/kubeconfig', { ...target, token: 'new-token' });
    path.gateway.gateway.fallbackChanged('c1');
    path.upstream.answer = (_, response) => response.end('ok');
    expect((await ask()).text).to.equal('ok');
    expect(identityIn(path.upstream.last.rawHeaders)[1]).to.equal('Bearer new-token');
    expect(path.gateway.counts.direct).to.equal(1);
    call.cancel();
    await until(() => path.gateway.counts.direct === 0);
  });

  for (const [what, take] of [
    ['the field is removed', () => change({ fallback: undefined })],
    [
      'the Secret is gone',
      () => {
        path.gateway.kubeconfigs.clear();
        path.gateway.gateway.fallbackChanged('c1');
      },
    ],
  ] as const) {
    it(`ends at once when ${what}: watches cleanly, others cut, and nothing goes any more`, async () => {
      await lose();
      path.upstream.answer = ({ method }, response) => {
        if (method === 'GET') response.writeHead(200).write('first');
      };
      const watch = await path.gateway.client('h2').call({ path: `${PODS}?watch=true` }).answer;
      expect(await nextText(watch.body)).to.equal('first');
      const write = ask({ method: 'POST', body: '{}' });
      await until(() => path.upstream.received.length === 2);
      const ended = once(watch.body, 'end');
      watch.body.resume();
      take();
      await ended;
      const { status, text } = await write;
      expect([status, causeIn(text).field]).to.deep.equal([504, 'gateway']);
      await until(() => path.gateway.counts.direct === 0);
      path.gateway.clock.advance(60_000);
      expect(causeIn((await ask()).text).reason).to.equal('cluster_offline');
      expect(path.upstream.received).to.have.length(2);
    });
  }

  it('runs no more at once than the tunnel may, lets the others wait, and follows the limits', async () => {
    await lose();
    const limits = { ...SETTINGS.limits, maxConcurrentRequests: 1 };
    const admission = { maxQueuedRequests: 1, rateLimit: { requestsPerSecond: 500, burst: 1_000 } };
    change({ settings: { ...SETTINGS, limits }, admission });
    const answers: (() => void)[] = [];
    path.upstream.answer = (_, response) => answers.push(() => response.end('ok'));
    const calls = [ask()];
    await until(() => answers.length === 1);
    calls.push(ask());
    await until(() => path.gateway.counts.waiting === 1);
    expect(causeIn((await ask()).text).reason).to.equal('queue_full');
    expect(path.gateway.counts.direct).to.equal(1);
    change({ settings: { ...SETTINGS, limits: { ...limits, maxConcurrentRequests: 2 } }, admission });
    await until(() => answers.length === 2);
    for (const answer of answers) answer();
    for (const { text } of await Promise.all(calls)) expect(text).to.equal('ok');
    expect(results()).to.include({ answered: 2, refused: 1 });
  });

  it('says no to who waits when his time is over', async () => {
    await lose();
    change({ settings: { ...SETTINGS, limits: { ...SETTINGS.limits, maxConcurrentRequests: 1 } } });
    path.upstream.answer = () => {};
    const first = ask({ path: `${PODS}?timeout=2s` });
    await until(() => path.upstream.received.length === 1);
    const second = ask({ path: `${PODS}?timeout=1s` });
    await until(() => path.gateway.counts.waiting === 1);
    path.gateway.clock.advance(1_000);
    expect(causeIn((await second).text)).to.include({ reason: 'queue_timeout' });
    path.gateway.clock.advance(1_000);
    expect(causeIn((await first).text)).to.include({ reason: 'request_timeout', field: 'gateway' });
    await until(() => path.gateway.isQuiet);
  });

  it('tells who waits that the tunnel is not there when that is suspended meanwhile', async () => {
    await lose();
    const limits = { ...SETTINGS.limits, maxConcurrentRequests: 1 };
    change({ settings: { ...SETTINGS, limits } });
    let answer = () => {};
    path.upstream.answer = (_, response) => {
      answer = () => response.end('ok');
    };
    const first = ask();
    await until(() => path.upstream.received.length === 1);
    const second = ask();
    await until(() => path.gateway.counts.waiting === 1);
    change({ settings: { ...SETTINGS, limits }, isSuspended: true });
    expect(causeIn((await second).text).reason).to.equal('cluster_reconnecting');
    answer();
    expect((await first).text, 'what runs goes on').to.equal('ok');
  });

  it('lets a target that takes connections and says nothing slow no other tunnel', async () => {
    await lose();
    const silent = createServer();
    const sockets: Socket[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const server = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    path.gateway.kubeconfigs.set('prod/kubeconfig', { ...target, server });
    path.gateway.gateway.fallbackChanged('c1');
    const { maxConcurrentRequests } = SETTINGS.limits;
    const stuck = Array.from({ length: maxConcurrentRequests + 10 }, () => ask());
    await until(() => sockets.length === maxConcurrentRequests && path.gateway.counts.waiting === 10);
    path.gateway.addTunnel('c2');
    await path.gateway.agent({ tunnel: 'c2', serve: (served) => served.answer(200, [], 'fine') });
    expect((await ask({ path: PODS.replace('c1', 'c2') })).text).to.equal('fine');
    expect(sockets).to.have.length(maxConcurrentRequests);
    change({ fallback: undefined });
    for (const { status } of await Promise.all(stuck)) expect(status).to.equal(503);
    silent.close();
    for (const socket of sockets) socket.destroy();
  });

  it('goes nowhere while the tunnel is suspended, or without a fallback', async () => {
    await lose();
    change({ isSuspended: true });
    expect(causeIn((await ask()).text).reason).to.equal('cluster_offline');
    change({ fallback: undefined });
    path.gateway.clock.advance(60_000);
    expect(causeIn((await ask()).text).reason).to.equal('cluster_offline');
    expect(path.upstream.received).to.deep.equal([]);
  });
});

describe('tunnel-path/fallback, by log', function () {
  this.timeout(60_000);

  it('writes in the audit line how a request went', async () => {
    const stream = new PassThrough();
    let lines = '';
    stream.on('data', (chunk) => {
      lines += chunk;
    });
    const log = createLogger({ level: 'debug', format: 'json', stream });
    const path = await BrokenPath.start({ log });
    try {
      const { url: server, ca: caPem } = path.upstream;
      const nothing = { tlsServerName: undefined, certificatePem: undefined, keyPem: undefined };
      path.gateway.kubeconfigs.set('prod/kubeconfig', { server, caPem, token: 'hub-token', ...nothing });
      path.gateway.addTunnel('c1', { fallback: REF });
      await path.break();
      path.gateway.clock.advance(GRACE_MS);
      await whole(path.gateway.client('h2'), { path: PODS });
      await until(() => lines.includes('"audit"'));
      expect(lines).to.contain('"via":"fallback"').and.not.contain('hub-token');
    } finally {
      await path.stop();
    }
  });
});
