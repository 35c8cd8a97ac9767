import { expect } from 'chai';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import { GatewayFixture, PROTOCOLS, TOKENS, whole } from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;

describe('operator/gateway/front/handler', function () {
  this.timeout(BUSY_MACHINE_MS);
  let fixture: GatewayFixture;
  beforeEach(async () => {
    fixture = await GatewayFixture.start();
  });
  afterEach(() => fixture.stopQuiet());

  async function ask(path: string, rest: object = {}) {
    const { status, headers, text } = await whole(fixture.client('http/1.1'), { path, ...rest });
    const body = headers['content-type'] === 'application/json' ? JSON.parse(text) : undefined;
    if (body !== undefined) expect(body).to.include({ kind: 'Status', code: status });
    return { status, retryAfter: headers['retry-after'], cause: body?.details.causes[0].reason, text, body };
  }

  it('asks for a bearer token before it asks the hub', async () => {
    expect(await ask(PODS, { token: '' })).to.include({ status: 401, cause: 'unauthorized' });
    expect(await ask(PODS, { token: '', headers: { authorization: 'Basic eDp5' } })).to.include({ status: 401 });
    expect(fixture.reviewed.tokens).to.deep.equal([]);
  });

  it('answers 401 to a token that the hub does not know', async () => {
    expect(await ask(PODS, { token: 'nobody' })).to.include({ status: 401, cause: 'unauthorized' });
  });

  it('answers 403 in the words of the API server, the same for a tunnel that is not there', async () => {
    const { status, body } = await ask(PODS, { token: 'mallory' });
    expect(status).to.equal(403);
    const resource = 'resource "clustertunnels/proxy" in API group "clustertunnel.io" at the cluster scope';
    expect(body.message).to.contain(
      `clustertunnels.clustertunnel.io "c1" is forbidden: User "mallory" cannot list ${resource}`,
    );
    expect(await ask('/clusters/nowhere/api/v1/pods', { token: 'mallory' })).to.include({ status: 403 });
  });

  it('answers 403 on discovery paths as text', async () => {
    for (const path of ['/clusters/c1/api', '/clusters/c1/apis/apps/v1?timeout=32s']) {
      const { status, text, body } = await ask(path, { token: 'mallory' });
      expect([status, body]).to.deep.equal([403, undefined]);
      expect(text).to.contain('User "mallory" cannot get resource');
    }
  });

  it('answers 404 for an unknown tunnel only to those who may use it', async () => {
    expect(await ask('/clusters/nowhere/api/v1/pods')).to.include({ status: 404, cause: 'not_found' });
    fixture.addTunnel('leaving', { isDeleting: true });
    expect(await ask('/clusters/leaving/api/v1/pods')).to.include({ status: 404, cause: 'not_found' });
  });

  it('answers 404 outside /clusters/ without asking the hub', async () => {
    for (const path of ['/', '/api/v1/pods', '/clustersx', '/Clusters', '/agent/v1/connect', '/version']) {
      expect(await ask(path), path).to.include({ status: 404, cause: 'not_found' });
    }
    expect(fixture.reviewed.tokens).to.deep.equal([]);
  });

  it('answers 503 with Retry-After while the hub cannot say, and asks again next time', async () => {
    const { reviewToken } = fixture;
    fixture.reviewToken = () => Promise.reject(new Error('connection refused'));
    expect(await ask(PODS)).to.include({ status: 503, cause: 'auth_unavailable', retryAfter: '2' });
    fixture.reviewToken = reviewToken;
    fixture.reviewAccess = () => Promise.reject(new Error('HTTP 500'));
    expect(await ask(PODS)).to.include({ status: 503, cause: 'auth_unavailable', retryAfter: '2' });
    expect(fixture.reviewed.tokens).to.have.length(2);
  });

  it('answers 503 when the hub does not answer in time', async () => {
    fixture.reviewToken = () => new Promise(() => {});
    const answer = ask(PODS);
    await until(() => fixture.reviewed.tokens.length === 1);
    fixture.clock.advance(5_000);
    expect(await answer).to.include({ status: 503, cause: 'auth_unavailable', retryAfter: '2' });
  });

  it('answers 429 to an address that guesses tokens, never 401 or 403', async () => {
    const guarded = await GatewayFixture.start({ failedLoginsPerSecond: 1 });
    try {
      const client = guarded.client('h2');
      const status = async (token: string) => (await whole(client, { path: PODS, token })).status;
      for (let at = 0; at < 10; at++) expect(await status(`guess${at}`)).to.equal(401);
      const { headers, text } = await whole(client, { path: PODS, token: 'alice' });
      expect(headers['retry-after']).to.equal('1');
      expect(JSON.parse(text)).to.include({ code: 429, reason: 'TooManyRequests' });
      expect(JSON.parse(text).details.causes[0].reason).to.equal('rate_limited');
      expect(guarded.reviewed.tokens).to.have.length(10);
      guarded.clock.advance(1_000);
      expect(await status('alice')).to.equal(503);
    } finally {
      await guarded.stop();
    }
  });

  it('answers a HEAD that asks for an upgrade without a body', async () => {
    const raw = await fixture.raw();
    raw.write(`HEAD ${PODS} HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    expect(await raw.closed())
      .to.match(/^HTTP\/1\.1 400 .*\r\n\r\n$/s)
      .and.match(/content-length: [1-9]/);
  });

  it('answers 500 without details when it fails itself', async () => {
    fixture.views.get = () => {
      throw new TypeError('a bug with a secret');
    };
    const { status, cause, text } = await ask(PODS);
    expect([status, cause]).to.deep.equal([500, 'internal']);
    expect(text).to.not.contain('secret');
  });

  for (const header of [
    'Impersonate-User',
    'impersonate-group',
    'Impersonate-Uid',
    'Impersonate-Extra-scopes',
    'Impersonate_User',
    'IMPERSONATE-NEW',
  ]) {
    it(`answers 403 to ${header}, and no agent hears of it`, async () => {
      const agent = await fixture.agent();
      expect(await ask(PODS, { headers: { [header]: 'root' } })).to.include({ status: 403, cause: 'forbidden' });
      expect(agent.served).to.have.length(0);
    });
  }

  it('answers 403 to users that never pass a tunnel', async () => {
    const { status, text } = await ask(PODS, { token: 'root' });
    expect(status).to.equal(403);
    expect(text).to.contain('system:admin');
  });

  it('answers 403 to a user whose groups do not fit beside 64 KiB of headers', async () => {
    const groups = Array.from({ length: 400 }, (_, at) => `group-${at}-${'x'.repeat(40)}`);
    fixture.reviewToken = async () => ({ authenticated: true, user: { username: 'u', groups } });
    const agent = await fixture.agent();
    expect(await ask(PODS)).to.include({ status: 403 });
    expect(agent.served).to.have.length(0);
  });

  for (const protocol of PROTOCOLS) {
    it(`carries the largest request over ${protocol}: headers, path and identity together`, async () => {
      const groups = Array.from({ length: 200 }, (_, at) => `group-${1000 + at}-${'x'.repeat(58)}`);
      fixture.reviewToken = async () => ({ authenticated: true, user: { username: 'u', groups } });
      const agent = await fixture.agent({ serve: (served) => served.answer(200) });
      const query = `?labelSelector=${'x'.repeat(16_000)}`;
      const headers = Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`x-h${100 + at}`, 'y'.repeat(520)]));
      const { status, text } = await whole(fixture.client(protocol), { path: PODS + query, headers });
      expect([status, text]).to.deep.equal([200, '']);
      expect((await agent.request()).head.identity?.groups).to.have.length(200);
    });
  }

  it('asks the hub once for many requests at the same time, and again after 10 s', async () => {
    await fixture.agent({ serve: (served) => served.answer(200) });
    const client = fixture.client('h2');
    await Promise.all(Array.from({ length: 20 }, () => whole(client, { path: PODS })));
    expect([fixture.reviewed.tokens.length, fixture.reviewed.access.length]).to.deep.equal([1, 1]);
    fixture.clock.advance(10_000);
    await whole(client, { path: PODS });
    expect([fixture.reviewed.tokens.length, fixture.reviewed.access.length]).to.deep.equal([2, 2]);
  });

  it('sends nothing for a client that went away while the hub was asked', async () => {
    const agent = await fixture.agent();
    let answer: (status: unknown) => void = () => {};
    fixture.reviewToken = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const call = fixture.client('http/1.1').call({ path: PODS });
    await until(() => fixture.reviewed.tokens.length === 1);
    expect(fixture.counts.requests).to.equal(1);
    call.cancel();
    await until(() => fixture.counts.requests === 0);
    answer(TOKENS['alice']);
    await turns();
    expect(agent.served).to.have.length(0);
    expect(fixture.isQuiet).to.equal(true);
  });

  describe('writes', () => {
    let lines: { message: string; fields: Record<string, unknown> }[];
    beforeEach(async () => {
      await fixture.stop();
      lines = [];
      const write = (message: string, fields = {}) => lines.push({ message, fields });
      const log = { error: write, warn: write, info: write, debug: write, child: () => log };
      fixture = await GatewayFixture.start({ log });
    });
    const only = (message: string) => {
      const found = lines.filter((line) => line.message === message);
      expect(found, message).to.have.length(1);
      return found[0]?.fields ?? {};
    };

    it('one audit line a request, without what is secret', async () => {
      await fixture.agent({ serve: (served) => served.answer(201, [], 'x') });
      await ask(`${PODS}/p/log?follow=1`, { method: 'POST', body: 'bb' });
      const audit = only('audit');
      expect(audit).to.include({ user: 'alice', tunnel: 'c1', verb: 'create', resource: 'pods', subresource: 'log' });
      expect(audit).to.include({ namespace: 'default', name: 'p', status: 201, bytesIn: 2, bytesOut: 1 });
      expect(audit).to.include({ error: undefined }).and.not.have.any.keys('code', 'hop');
      expect(JSON.stringify(lines)).to.not.contain('Bearer').and.not.contain('follow');
    });

    it('both names of who acts as another', async () => {
      fixture.reviewAccess = async () => ({ allowed: true });
      await fixture.agent({ serve: (served) => served.answer(200) });
      await ask(PODS, { headers: { 'Impersonate-User': 'jane' } });
      expect(only('audit')).to.include({ user: 'jane', impersonatedBy: 'alice' });
    });

    it('what went wrong, where, and what was underneath', async () => {
      await fixture.agent({ serve: (served) => served.stream.refuse(ErrorCode.UpstreamUnreachable, 'refused') });
      const { status } = await ask(PODS);
      expect([status, only('audit')['status']]).to.deep.equal([503, 503]);
      expect(only('audit')).to.include({
        error: 'the agent of tunnel "c1" cannot reach the API server: refused',
        code: 'upstream_unreachable',
        hop: 'upstream',
        cause: 'UPSTREAM_UNREACHABLE: refused',
      });
    });

    it('what it refused, of which tunnel, without the query', async () => {
      await ask(`${PODS}?token=x`, { token: 'mallory' });
      expect(only('audit')).to.include({
        method: 'GET',
        tunnel: 'c1',
        path: '/api/v1/namespaces/default/pods',
        status: 403,
        code: 'forbidden',
        hop: 'gateway',
        cause: undefined,
        address: '127.0.0.1',
      });
      expect(only('audit')['error']).to.include('User "mallory" cannot list');
    });

    it('that a client went away before it was let in, or before it heard that it was not', async () => {
      let answer: (status: unknown) => void = () => {};
      fixture.reviewToken = () =>
        new Promise((resolve) => {
          answer = resolve;
        });
      const left = async (token: string, traceId: string) => {
        const headers = { 'X-Trace-ID': traceId };
        const asked = fixture.reviewed.tokens.length;
        const call = fixture.client('http/1.1').call({ path: PODS, token, headers });
        await until(() => fixture.reviewed.tokens.length === asked + 1);
        call.cancel();
        await until(() => fixture.counts.requests === 0);
        answer(TOKENS[token] ?? { authenticated: false });
        await until(() => lines.some(({ fields }) => fields['trace_id'] === traceId));
        await turns();
        expect(lines.filter(({ fields }) => fields['trace_id'] === traceId)).to.have.length(1);
      };
      await left('alice', 'trace-1');
      expect(lines[0]?.fields).to.include({ method: 'GET', address: '127.0.0.1', error: 'cancelled' });
      await left('nobody', 'trace-2');
      expect(lines[1]?.fields).to.include({ status: 401, code: 'unauthorized', tunnel: 'c1' });
    });

    it('what went wrong with itself, in one line like any other', async () => {
      fixture.views.get = () => {
        throw new TypeError('a bug');
      };
      const { status } = await ask(PODS, { headers: { 'X-Trace-ID': 'trace-1' } });
      expect(status).to.equal(500);
      const line = { trace_id: 'trace-1', status: 500, code: 'internal', hop: 'gateway', cause: 'a bug' };
      expect(only('audit')).to.include(line);
    });

    it('which requests could not be read', async () => {
      const raw = await fixture.raw();
      raw.write('GET / HTTP/1.1\r\nbad header\r\n\r\n');
      const traceId = /x-trace-id: (\w+)/.exec(await raw.closed())?.[1];
      const line = { trace_id: traceId, address: '127.0.0.1', status: 400, code: 'bad_request', hop: 'gateway' };
      expect(only('audit')).to.include(line);
      const connecting = await fixture.raw();
      connecting.write('CONNECT example:443 HTTP/1.1\r\nHost: example:443\r\n\r\n');
      expect(await connecting.closed()).to.match(/^HTTP\/1\.1 405 /);
      expect(lines.filter(({ message }) => message === 'audit')).to.have.length(2);
      expect(lines.at(-1)?.fields).to.include({ status: 405, code: 'method_not_allowed' });
    });

    it('which agent it refused, by the trace id that the agent was told', async () => {
      const raw = await fixture.raw();
      raw.write(
        'GET /agent/v1/connect HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: x\r\n\r\n',
      );
      const traceId = /x-trace-id: (\w+)/.exec(await raw.closed())?.[1];
      expect(only('agent refused')).to.include({ trace_id: traceId, code: 'forbidden', hop: 'gateway' });
    });

    it('what the hub said when it could not say who asks', async () => {
      fixture.reviewToken = () => Promise.reject(new Error('HTTP 500'));
      await ask(PODS);
      expect(only('audit')).to.include({ status: 503, code: 'auth_unavailable', cause: 'HTTP 500' });
    });
  });
});
