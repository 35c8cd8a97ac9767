import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { type CacheSettings, DEFAULT_CACHE } from '../../crds/cache.ts';
import type { TunnelView } from '../../operator/gateway/sessions/tunnels.ts';
import { type LogFields, silentLogger } from '../../process/log.ts';
import { type Ask, SETTINGS, TOKENS, whole } from '../support/gateway-fixture.ts';
import { turns, until } from '../support/turns.ts';
import { BrokenPath } from './broken-path.ts';

const VERSION = '/clusters/c1/version';
const { ttlMs } = DEFAULT_CACHE;

describe('tunnel-path/cache', function () {
  this.timeout(60_000);
  let path: BrokenPath;
  let lines: LogFields[];
  beforeEach(async () => {
    lines = [];
    const log = { ...silentLogger, info: (_: string, fields: LogFields = {}) => lines.push(fields) };
    path = await BrokenPath.start({ log });
    change({});
    path.upstream.answer = (_, response) => response.end(`answer ${asked()}`);
  });
  afterEach(() => path.stop());

  const asked = () => path.upstream.received.length;
  const ask = (rest: Partial<Ask> = {}) => whole(path.gateway.client('h2'), { path: VERSION, ...rest });
  const cached = () => path.gateway.gateway.cached();
  const text = async (rest: Partial<Ask> = {}) => (await ask(rest)).text;
  const results = () => lines.flatMap(({ cache }) => cache ?? []);

  function change({
    cache = {},
    ...rest
  }: Partial<Omit<TunnelView, 'cache'>> & { cache?: Partial<CacheSettings> }): void {
    path.gateway.addTunnel('c1', { cache: { ...DEFAULT_CACHE, ...cache }, ...rest });
    path.gateway.gateway.tunnelChanged('c1');
  }

  /** Answers later, in the order of asking. */
  function held(): ((body: string, status?: number) => void)[] {
    const answers: ((body: string, status?: number) => void)[] = [];
    path.upstream.answer = (_, response) => {
      answers.push((body, status = 200) => response.writeHead(status).end(body));
    };
    return answers;
  }

  it('asks the target once, and then gives the same answer until its time is over, with Age and a trace id of its own', async () => {
    const first = await ask();
    expect(first.headers).to.not.have.property('age');
    path.gateway.clock.advance(ttlMs - 1);
    for (const client of ['h2', 'http/1.1'] as const) {
      const again = await whole(path.gateway.client(client), {
        path: VERSION,
        headers: { 'x-trace-id': 'mine-12345678' },
      });
      expect(again).to.include({ status: 200, text: 'answer 1' });
      expect(again.headers).to.include({
        age: '9',
        'x-trace-id': 'mine-12345678',
        'x-content-type-options': 'nosniff',
      });
    }
    path.gateway.clock.advance(1);
    expect(await text()).to.equal('answer 2');
    expect(results()).to.deep.equal(['miss', 'hit', 'hit', 'miss']);
    expect(cached().results).to.deep.equal({ hit: 2, revalidated: 0, miss: 2 });
    expect(cached().bytes).to.be.within(8, 4_096);
  });

  it('asks once for 20 equal requests at the same time', async () => {
    const answers = held();
    const calls = Array.from({ length: 20 }, () => ask());
    await until(() => answers.length === 1 && path.gateway.counts.requests === 20);
    await turns();
    answers[0]?.('for all');
    for (const { text: told } of await Promise.all(calls)) expect(told).to.equal('for all');
    expect(asked()).to.equal(1);
  });

  it('gives nobody the answer of another user, path, query or kind of content', async () => {
    path.gateway.reviewToken = async (token) =>
      TOKENS[token] ?? {
        authenticated: true,
        user: { username: token, uid: 'u-1', groups: ['dev', 'system:authenticated'] },
      };
    await ask();
    await ask({ token: 'bob' });
    await ask({ path: `${VERSION}?timeout=32s` });
    await ask({ path: '/clusters/c1/api' });
    await ask({ headers: { accept: 'application/yaml' } });
    await ask({ headers: { 'accept-encoding': 'gzip' } });
    expect(asked()).to.equal(6);
    const who = path.upstream.received.map(({ rawHeaders }) => rawHeaders[rawHeaders.indexOf('Impersonate-User') + 1]);
    expect(who.slice(0, 2)).to.deep.equal(['alice', 'bob']);
    expect(await text({ token: 'bob' })).to.equal('answer 2');
  });

  it('keeps compressed answers apart, byte by byte', async () => {
    const zipped = gzipSync('zipped');
    path.upstream.answer = (request, response) => {
      if (request.headers['accept-encoding'] !== 'gzip') return response.end('plain');
      return response.writeHead(200, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' }).end(zipped);
    };
    for (let at = 0; at < 2; at++) {
      const { headers, text: told } = await ask({ headers: { 'accept-encoding': 'gzip' } });
      expect(headers['content-encoding']).to.equal('gzip');
      expect(told).to.equal(zipped.toString());
      expect(await text()).to.equal('plain');
    }
    expect(asked()).to.equal(2);
  });

  it('asks as that user whether it still holds when the time is over, and answers from memory if so', async () => {
    path.upstream.answer = (request, response) => {
      if (request.headers['if-none-match'] === '"e1"') response.writeHead(304, { etag: '"e1"' }).end();
      else response.writeHead(200, { etag: '"e1"', 'content-type': 'application/json' }).end('{}');
    };
    await ask();
    path.gateway.clock.advance(ttlMs);
    const again = await ask();
    expect(again).to.include({ status: 200, text: '{}' });
    expect(again.headers).to.include({ age: '0', 'content-type': 'application/json', etag: '"e1"' });
    expect(await text()).to.equal('{}');
    expect(asked()).to.equal(2);
    const raw = path.upstream.last.rawHeaders;
    expect(raw[raw.indexOf('Impersonate-User') + 1]).to.equal('alice');
    expect(results()).to.deep.equal(['miss', 'revalidated', 'hit']);
  });

  it('adds nothing to a request that has all the lines that it may have', async () => {
    path.upstream.answer = (_, response) => response.writeHead(200, { ETag: '"v1"' }).end('{}');
    await text();
    path.gateway.clock.advance(ttlMs);
    const raws = await Promise.all(Array.from({ length: 3 }, () => path.gateway.raw()));
    const lines = Array.from({ length: 198 }, (_, at) => `X-${at}: 1`);
    const login = ['Host: gateway', 'Authorization: Bearer alice'];
    for (const raw of raws) raw.write([`GET ${VERSION} HTTP/1.1`, ...login, ...lines, '', ''].join('\r\n'));
    await Promise.all(raws.map((raw) => raw.said('{}')));
    expect(raws.map((raw) => raw.text.slice(9, 12))).to.deep.equal(['200', '200', '200']);
  });

  it('does not ask by a validator that is as long as a header may be', async () => {
    path.upstream.answer = (_, response) => response.writeHead(200, { ETag: `"${'e'.repeat(5_000)}"` }).end('{}');
    await text();
    path.gateway.clock.advance(ttlMs);
    expect(await text()).to.equal('{}');
    expect(path.upstream.received[1]?.rawHeaders).to.not.include('If-None-Match');
  });

  it('answers 304 to a client that has it already, fresh or revalidated', async () => {
    path.upstream.answer = (request, response) => {
      if (request.headers['if-none-match'] === '"e1"') response.writeHead(304, { etag: '"e1"' }).end();
      else response.writeHead(200, { etag: '"e1"', 'content-length': '2' }).end('{}');
    };
    const known = { headers: { 'if-none-match': '"e0", W/"e1"' } };
    expect((await ask()).status).to.equal(200);
    expect(await ask(known)).to.include({ status: 304, text: '' });
    path.gateway.clock.advance(ttlMs);
    expect(await ask(known)).to.include({ status: 304, text: '' });
    expect(await ask()).to.include({ status: 200, text: '{}' });
    expect(asked()).to.equal(2);
  });

  it('goes to the target when the client says so, and for everything that is no description of the API', async () => {
    await ask();
    await ask({ headers: { 'cache-control': 'no-cache' } });
    await ask({ headers: { pragma: 'no-cache' } });
    await ask({ headers: { range: 'bytes=0-1' } });
    for (let at = 0; at < 2; at++) await ask({ path: '/clusters/c1/api/v1/pods' });
    expect(asked()).to.equal(6);
    expect(results()).to.deep.equal(['miss']);
  });

  const unkept: Readonly<Record<string, Record<string, string>>> = {
    'no-store': { 'cache-control': 'private, no-store' },
    cookies: { 'set-cookie': 'a=b' },
    'variants beyond its key': { vary: 'Accept, Authorization' },
  };
  for (const [name, headers] of Object.entries(unkept)) {
    it(`never keeps answers with ${name}`, async () => {
      path.upstream.answer = (_, response) => response.writeHead(200, headers).end('answer');
      for (let at = 0; at < 2; at++) expect(await text()).to.equal('answer');
      expect(asked()).to.equal(2);
      expect(cached().bytes).to.equal(0);
    });
  }

  it('shares no error: who waited asks for himself', async () => {
    const answers = held();
    const calls = [ask(), ask(), ask()];
    await until(() => answers.length === 1 && path.gateway.counts.requests === 3);
    await turns();
    answers[0]?.('not now', 503);
    await until(() => answers.length === 3);
    for (const answer of answers.slice(1)) answer('fine');
    const told = (await Promise.all(calls)).map(({ text: each }) => each);
    expect(told.sort()).to.deep.equal(['fine', 'fine', 'not now']);
  });

  it('goes on for the others when the client that asked goes away', async () => {
    const answers = held();
    const first = path.gateway.client('h2').call({ path: VERSION });
    await until(() => answers.length === 1);
    const others = [ask(), ask()];
    await until(() => path.gateway.counts.requests === 3);
    await turns();
    first.cancel();
    await until(() => answers.length === 2);
    answers[1]?.('for both');
    for (const { text: told } of await Promise.all(others)) expect(told).to.equal('for both');
    expect(asked()).to.equal(2);
  });

  it('lets nobody wait for ever: then he asks himself', async () => {
    const answers = held();
    const calls = [ask(), ask()];
    await until(() => answers.length === 1 && path.gateway.counts.requests === 2);
    await turns();
    path.gateway.clock.advance(10_000);
    await until(() => answers.length === 2);
    const next = ask();
    await until(() => path.gateway.counts.requests === 3);
    await turns();
    answers[1]?.('from the second');
    expect((await next).text).to.equal('from the second');
    answers[0]?.('from the first');
    const told = (await Promise.all(calls)).map(({ text: each }) => each);
    expect(told).to.deep.equal(['from the first', 'from the second']);
    expect(await text()).to.equal('from the first');
  });

  it('passes an answer that is too large on whole, and does not keep it', async () => {
    change({ cache: { maxBytes: 1_048_576 } });
    const large = randomBytes(300_000).toString('hex').slice(0, 300_000);
    path.upstream.answer = (_, response) => {
      response.write(large.slice(0, 200_000));
      response.end(large.slice(200_000));
    };
    const told = await Promise.all([text(), text(), text()]);
    for (const each of told) expect(each === large).to.equal(true);
    expect(cached().bytes).to.equal(0);
    expect(await text()).to.equal(large);
    expect(asked()).to.equal(4);
  });

  it('gives a large answer from memory whole', async () => {
    const large = randomBytes(1_000_000).toString('hex');
    path.upstream.answer = (_, response) => response.end(large);
    await ask();
    for (const client of ['h2', 'http/1.1'] as const) {
      const { text: told } = await whole(path.gateway.client(client), { path: VERSION });
      expect(told === large).to.equal(true);
    }
    expect(asked()).to.equal(1);
  });

  it('never keeps an answer that was cut', async () => {
    path.upstream.answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('some');
      setImmediate(() => response.destroy());
    };
    await ask().catch(() => {});
    expect(cached().bytes).to.equal(0);
    path.upstream.answer = (_, response) => response.end('whole');
    expect(await text()).to.equal('whole');
  });

  it('forgets when the last session is lost', async () => {
    await ask();
    await path.break();
    expect(cached().bytes).to.equal(0);
    await path.mend();
    expect(await text()).to.equal('answer 2');
  });

  const changes: Readonly<Record<string, Parameters<typeof change>[0]>> = {
    'is another one of the same name': { uid: 'uid-2' },
    'lets pass others': { settings: { ...SETTINGS, access: { ...SETTINGS.access, groups: ['dev'] } } },
    'has its agents elsewhere': { placement: '{"other":true}' },
    'is suspended': { isSuspended: true },
    'is being deleted': { isDeleting: true },
    'remembers nothing any more': { cache: { enabled: false } },
  };
  for (const [what, changed] of Object.entries(changes)) {
    it(`forgets at once when the tunnel ${what}`, async () => {
      await ask();
      expect(cached().bytes).to.be.above(0);
      change(changed);
      expect(cached().bytes).to.equal(0);
    });
  }

  it('refuses at a suspended tunnel what it could have answered before', async () => {
    await ask();
    change({ isSuspended: true });
    expect((await ask()).status).to.equal(503);
  });

  it('answers nobody whom the hub does not let in any more', async () => {
    await ask();
    path.gateway.reviewAccess = async () => ({ allowed: false });
    path.gateway.clock.advance(ttlMs);
    change({ cache: { ttlMs: 600_000 } });
    expect((await ask()).status).to.equal(403);
  });

  it('keeps to a new time and size at once', async () => {
    await ask();
    path.gateway.clock.advance(5_000);
    change({ cache: { ttlMs: 5_000 } });
    expect(await text()).to.equal('answer 2');
    change({ cache: { maxBytes: 1 } });
    expect(cached().bytes).to.equal(0);
  });

  it('lets who asks after kinds were changed not wait for an answer of before', async () => {
    const answers = held();
    const before = ask();
    await until(() => answers.length === 1);
    const crds = '/clusters/c1/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const write = ask({ path: crds, method: 'POST', body: '{}' });
    await until(() => answers.length === 2);
    answers[1]?.('created', 201);
    await write;
    const after = ask();
    await until(() => answers.length === 3);
    answers[2]?.('with the new kind');
    expect((await after).text).to.equal('with the new kind');
    answers[0]?.('without it');
    expect((await before).text).to.equal('without it');
  });

  it('lets nobody wait for a session that is lost: each comes through the next one', async () => {
    const answers = held();
    const calls = [ask(), ask(), ask()];
    await until(() => answers.length === 1 && path.gateway.counts.requests === 3);
    await turns();
    await path.break();
    await path.mend();
    await until(() => answers.length === 4);
    for (const answer of answers.slice(1)) answer('again');
    for (const { text: told } of await Promise.all(calls)) expect(told).to.equal('again');
  });

  it('answers from memory though the way to the target fails', async () => {
    await ask();
    path.upstream.answer = ({ socket }) => socket.destroy();
    expect((await ask({ path: '/clusters/c1/api' })).status).to.equal(503);
    expect(await ask()).to.include({ status: 200, text: 'answer 1' });
  });

  it('asks each time for a while after kinds were changed through it', async () => {
    await ask();
    const crds = '/clusters/c1/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await ask({ path: crds, method: 'POST', body: '{}' });
    expect(await text()).to.equal('answer 3');
    expect(await text()).to.equal('answer 4');
    path.gateway.clock.advance(ttlMs);
    expect(await text()).to.equal('answer 5');
    expect(await text()).to.equal('answer 5');
  });
});
