import { expect } from 'chai';
import { type Answer, GatewayFixture, whole } from '../../support/gateway-fixture.ts';
import { until } from '../../support/turns.ts';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;
const PODS = '/api/v1/namespaces/default/pods';

/** Tunnels of the other tenant in every state, and one that does not exist: names of one length. */
const TUNNELS = ['online', 'nobody', 'paused', 'absent', 'behind', 'ending'] as const;

/** Everything that a tenant may try. */
const REQUESTS: readonly { what: string; method?: string; path: string; upgrade?: string; body?: string }[] = [
  { what: 'a read', path: PODS },
  { what: 'a read of one object', path: `${PODS}/p` },
  { what: 'a watch', path: `${PODS}?watch=1` },
  { what: 'HEAD', method: 'HEAD', path: PODS },
  { what: 'a write', method: 'POST', path: PODS, body: '{}' },
  { what: 'a deletion', method: 'DELETE', path: PODS },
  { what: 'a follow of logs', path: `${PODS}/p/log?follow=true` },
  { what: 'the root', path: '/' },
  { what: 'a path without a verb', method: 'OPTIONS', path: '/some/where' },
  { what: 'discovery', path: '/api' },
  { what: 'discovery of a version', path: '/api/v1?timeout=32s' },
  { what: 'discovery of groups', path: '/apis' },
  { what: 'discovery of one group', path: '/apis/apps/v1' },
  { what: 'the version', path: '/version' },
  { what: 'OpenAPI', path: '/openapi/v3' },
  { what: 'exec by WebSocket', path: `${PODS}/p/exec?command=sh`, upgrade: 'websocket' },
  { what: 'exec by SPDY', method: 'POST', path: `${PODS}/p/exec?command=sh`, upgrade: 'SPDY/3.1' },
  { what: 'port-forward', method: 'POST', path: `${PODS}/p/portforward`, upgrade: 'SPDY/3.1' },
  { what: 'an upgrade on a discovery path', path: '/api', upgrade: 'websocket' },
  { what: 'an upgrade to something else', path: PODS, upgrade: 'h2c' },
];

/**
 * What a user learns of tunnels that he may not use: nothing. Whatever state a tunnel is in, whether it exists or not, the
 * answer is the same bytes but for the name that he said himself.
 */
describe('operator/gateway: two tenants', function () {
  this.timeout(BUSY_MACHINE_MS);
  let fixture: GatewayFixture;
  before(async () => {
    fixture = await GatewayFixture.start();
    fixture.reviewAccess = async (user, name) => ({ allowed: user === 'mallory' && name === 'mine' });
    for (const name of ['online', 'absent', 'behind', 'mine']) fixture.addTunnel(name);
    await fixture.agent({ tunnel: 'online', serve: (served) => served.answer(200, [], 'secret') });
    (await fixture.agent({ tunnel: 'behind' })).cut();
    await until(() => fixture.counts.sessions === 1);
    fixture.addTunnel('paused', { isSuspended: true });
    fixture.addTunnel('ending', { isDeleting: true });
  });
  after(() => fixture.stop());
  afterEach(() => until(() => fixture.isQuiet));

  async function bytesOf(tunnel: string, request: (typeof REQUESTS)[number]): Promise<string> {
    const { method = 'GET', path, upgrade, body } = request;
    const lines = [
      `${method} /clusters/${tunnel}${path} HTTP/1.1`,
      'Host: g',
      'Authorization: Bearer mallory',
      'X-Trace-ID: t',
      ...(upgrade === undefined ? ['Connection: close'] : ['Connection: Upgrade', `Upgrade: ${upgrade}`]),
      ...(body === undefined ? [] : [`Content-Length: ${body.length}`]),
    ];
    const raw = await fixture.raw();
    raw.write(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
    const text = await raw.closed();
    return text.replace(/\r\n(date|traceparent): [^\r]*/gi, '').replaceAll(tunnel, '<name>');
  }

  for (const request of REQUESTS) {
    it(`${request.what} is answered the same, whatever there is`, async () => {
      const answers = new Map<string, string>();
      for (const tunnel of TUNNELS) {
        const before = fixture.reviewed.access.length;
        answers.set(tunnel, await bytesOf(tunnel, request));
        const asked = fixture.reviewed.access.slice(before);
        // The hub was asked, or the request was refused for what it is: never for what there is.
        if (asked.length > 0) expect(asked.map(({ name }) => name)).to.deep.equal([tunnel]);
      }
      const [first] = answers.values();
      expect(first).to.match(request.upgrade === 'h2c' ? /^HTTP\/1\.1 400 / : /^HTTP\/1\.1 403 /);
      for (const [tunnel, bytes] of answers) expect(bytes, tunnel).to.equal(first);
    });
  }

  it('is the same over HTTP/2', async () => {
    const client = fixture.client('h2');
    const told = async (tunnel: string, path: string) => {
      const { status, headers, text }: Answer & { text: string } = await whole(client, {
        path: `/clusters/${tunnel}${path}`,
        token: 'mallory',
        headers: { 'x-trace-id': 't' },
      });
      const { date: _date, traceparent: _span, ...rest } = headers;
      return { status, headers: rest, text: text.replaceAll(tunnel, '<name>') };
    };
    for (const path of [PODS, '/api', `${PODS}?watch=1`]) {
      const first = await told('nobody', path);
      expect(first.status).to.equal(403);
      for (const tunnel of TUNNELS) expect(await told(tunnel, path)).to.deep.equal(first);
    }
    client.close();
  });

  it('and the list names only what is his', async () => {
    const { text } = await whole(fixture.client('http/1.1'), { path: '/clusters', token: 'mallory' });
    expect(JSON.parse(text).items.map(({ name }: { name: string }) => name)).to.deep.equal(['mine']);
    for (const tunnel of TUNNELS) expect(text).to.not.contain(tunnel);
  });
});
