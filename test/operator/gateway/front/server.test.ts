import { expect } from 'chai';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import { bodyOf, GatewayFixture, type RawConnection, type Served, whole } from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';
import { untraced } from '../../../support/untraced.ts';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;
const ALICE = 'Authorization: Bearer alice\r\n';

/** Status line, headers and Status of the first answer in a text. */
function statusIn(text: string) {
  const [head = '', body = ''] = text.split('\r\n\r\n', 2);
  const code = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  const status = JSON.parse(body);
  expect(status).to.include({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code });
  expect(head).to.match(/content-type: application\/json/i);
  return { code, head, cause: status.details.causes[0].reason as string };
}

describe('operator/gateway/front/server', function () {
  this.timeout(BUSY_MACHINE_MS);
  let fixture: GatewayFixture;
  let agent: Awaited<ReturnType<GatewayFixture['agent']>>;
  const onServe: { serve: (served: Served) => void } = { serve: () => {} };

  beforeEach(async () => {
    fixture = await GatewayFixture.start();
    onServe.serve = (served) => served.answer(200, ['Content-Length', '2'], 'ok');
    agent = await fixture.agent({ serve: (served) => onServe.serve(served) });
  });
  afterEach(() => fixture.stopQuiet());

  /** Sends bytes, returns what came back once the gateway has closed, or once it has said `part`. */
  async function say(bytes: string, part?: string): Promise<string> {
    const raw = await fixture.raw();
    raw.write(bytes);
    const text = await (part === undefined ? raw.closed() : raw.said(part));
    raw.socket.destroy();
    return text;
  }

  const get = (target: string, headers = '') => `GET ${target} HTTP/1.1\r\nHost: g\r\n${ALICE}${headers}\r\n`;

  const TARGETS: readonly string[] = [
    '/clusters/c1/api/v1/namespaces/a/../../secrets',
    '/clusters/c1/api/v1/namespaces/%2e%2e/secrets',
    '/clusters/c1/api/v1/namespaces/.%2E/secrets',
    '/clusters/c1/api/./v1',
    '/clusters/c1/..',
    '/clusters/../c1',
    '/clusters/c1//api/v1/secrets',
    '//evil.example.com/clusters/c1/api',
    '/clusters/c1/api/v1/a%2fb',
    '/clusters/c1/api/v1/a%5Cb',
    '/clusters/c1/api/v1/a\\b',
    '/clusters/c1/api/v1/a%00b',
    '/clusters/c1/a;x/../b',
    '/clusters/c1/a/..;x/b',
    '/clusters/c1/api#x',
    '/clusters/C1/api',
    '/clusters/%63%31/api',
    'http://evil.example.com/clusters/c1/api',
    '*',
    `/clusters/c1/${'a'.repeat(17_000)}`,
    '/clusters/c1/api%zz',
  ];
  for (const target of TARGETS) {
    it(`answers 400 to ${target.slice(0, 60)}`, async () => {
      const text = await say(get(target, 'Connection: close\r\n'));
      expect(statusIn(text)).to.include({ code: 400, cause: 'bad_request' });
      expect(agent.served).to.have.length(0);
    });
  }

  const MALFORMED: readonly [string, string, number][] = [
    ['a path with a space', `GET /clusters/c1/a b HTTP/1.1\r\nHost: g\r\n${ALICE}\r\n`, 400],
    ['a path with a tab', `GET /clusters/c1/a\tb HTTP/1.1\r\nHost: g\r\n${ALICE}\r\n`, 400],
    ['a path beyond ASCII', `GET /clusters/c1/\xe4 HTTP/1.1\r\nHost: g\r\n${ALICE}\r\n`, 400],
    ['two Host', get('/clusters/c1/api', 'Host: h\r\nConnection: close\r\n'), 400],
    ['two Authorization', get('/clusters/c1/api', `${ALICE}Connection: close\r\n`), 400],
    ['two Content-Length', get('/clusters/c1/api', 'Content-Length: 1\r\nContent-Length: 1\r\n'), 400],
    [
      'Content-Length beside Transfer-Encoding',
      get('/clusters/c1/api', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'),
      400,
    ],
    ['an unknown transfer coding', get('/clusters/c1/api', 'Transfer-Encoding: chunked, identity\r\n'), 400],
    ['a folded header', get('/clusters/c1/api', 'X-A: b\r\n c\r\nConnection: close\r\n'), 400],
    ['a bare line feed', `GET /clusters/c1/api HTTP/1.1\nHost: g\n\n`, 400],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n\r\n', 400],
    ['a NUL in a header', get('/clusters/c1/api', 'X-A: b\0c\r\n'), 400],
    ['Connection naming an identity header', get('/clusters/c1/api', 'Connection: close, impersonate-user\r\n'), 400],
    ['201 header lines', get('/clusters/c1/api', `${'X-A: b\r\n'.repeat(200)}Connection: close\r\n`), 431],
    [
      '2,000 header lines with Content-Length last',
      get('/clusters/c1/api', `Connection: close\r\n${'a: b\r\n'.repeat(2_000)}Content-Length: 5\r\n`),
      431,
    ],
    ['65 KiB of headers', get('/clusters/c1/api', `X-A: ${'a'.repeat(65 * 1024)}\r\n`), 431],
    ['CONNECT', `CONNECT evil.example.com:443 HTTP/1.1\r\nHost: g\r\n${ALICE}\r\n`, 405],
    ['TRACE', `TRACE /clusters/c1/api HTTP/1.1\r\nHost: g\r\nConnection: close\r\n${ALICE}\r\n`, 405],
    ['a method of nobody', `PURGE /clusters/c1/api HTTP/1.1\r\nHost: g\r\nConnection: close\r\n${ALICE}\r\n`, 405],
  ];
  for (const [what, bytes, code] of MALFORMED) {
    it(`answers ${code} to ${what}`, async () => {
      expect(statusIn(await say(bytes)).code).to.equal(code);
      expect(agent.served).to.have.length(0);
    });
  }

  it('takes 60 KiB of headers in one connection after another', async () => {
    const text = await say(get('/clusters/c1/api', `X-A: ${'a'.repeat(60 * 1024)}\r\nConnection: close\r\n`));
    expect(text).to.match(/^HTTP\/1\.1 200 /);
    expect((await agent.request()).head.headers.join('').length).to.be.above(60 * 1024);
  });

  it('answers CONNECT over HTTP/2 with a Status too', async () => {
    const raw = await http2();
    raw.write(
      headers(1, { ':method': 'CONNECT', ':authority': 'evil:443', authorization: 'Bearer alice' }, { isEnd: true }),
    );
    await raw.said('method_not_allowed');
    expect(raw.text).to.contain('"code":405');
    raw.socket.destroy();
  });

  it('answers 431 to 201 header lines over HTTP/2 too', async () => {
    const raw = await http2();
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`x-${at}`, 'b']));
    raw.write(headers(1, { ':method': 'GET', ':path': '/clusters/c1/api', ...many }, { isEnd: true }));
    expect(await raw.said('headers_too_large')).to.contain('"code":431');
    raw.socket.destroy();
  });

  it('cuts a connection whose client sends garbage while an answer is under way, pipelined or not', async () => {
    onServe.serve = (served) => {
      served.stream.sendHead({ status: 200, headers: [] });
      served.stream.write(Buffer.from('event'));
    };
    for (const more of ['', get('/clusters/c1/api')]) {
      const raw = await fixture.raw();
      raw.write(get('/clusters/c1/api/v1/pods?watch=1'));
      await raw.said('event');
      raw.write(`${more}garbage\r\n\r\n`);
      expect((await raw.closed()).match(/HTTP\/1\.1 \d/g)).to.have.length(1);
    }
  });

  it('cuts a connection that dribbles its head', async () => {
    await fixture.stop();
    fixture = await GatewayFixture.start({ headTimeoutMs: 200 });
    const raw = await fixture.raw();
    raw.write('GET /clusters/c1/api HTTP/1.1\r\nHost: g\r\nX-A');
    await raw.closed();
    const silent = await fixture.raw();
    await silent.closed();
    await until(() => fixture.counts.connections === 0);
  });

  it('keeps a connection whose body takes longer than a head may', async () => {
    await fixture.stop();
    fixture = await GatewayFixture.start({ headTimeoutMs: 200 });
    agent = await fixture.agent({ serve: () => {} });
    const slow = await fixture.raw();
    slow.write(`POST /clusters/c1/api HTTP/1.1\r\nHost: g\r\n${ALICE}Content-Length: 2\r\n\r\na`);
    const served = await agent.request();
    // Two connections are cut one after the other: more than two head timeouts have passed.
    for (let at = 0; at < 2; at++) await (await fixture.raw()).closed();
    slow.write('b');
    await until(() => served.hasEnded);
    served.answer(200);
    expect(await slow.said('200 OK')).to.match(/^HTTP\/1\.1 200 /);
    slow.socket.destroy();
  });

  it('cuts an HTTP/2 connection that does not begin', async () => {
    const raw = await fixture.raw('h2');
    await turns();
    fixture.clock.advance(10_000);
    await raw.closed();
  });

  it('ends an HTTP/2 connection that asks for nothing, but none with a watch', async () => {
    onServe.serve = (served) => served.stream.sendHead({ status: 200, headers: [] });
    const watching = fixture.client('h2');
    const idle = await http2();
    await watching.call({ path: '/clusters/c1/api/v1/pods?watch=1' }).answer;
    const before = fixture.counts.connections;
    await fixture.pass(90_000);
    await until(() => fixture.counts.connections === before - 1);
    await idle.closed();
    expect(fixture.counts.requests).to.equal(1);
    watching.close();
  });

  for (const [name, code] of [
    ['NO_ERROR', 0],
    ['CANCEL', 8],
  ] as const) {
    it(`takes a body cut by RST_STREAM ${name} for cut`, async () => {
      onServe.serve = () => {};
      const raw = await http2();
      raw.write(headers(1, { ':method': 'POST', ':path': '/clusters/c1/api/v1/pods', authorization: 'Bearer alice' }));
      raw.write(frame(0x0, 0, 1, 'half of'));
      const served = await agent.request();
      await until(() => served.receivedBytes === 7);
      raw.write(frame(0x3, 0, 1, u32(code)));
      await until(() => served.isClosed);
      expect(served.hasEnded).to.equal(false);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
      await until(() => fixture.isQuiet);
      raw.socket.destroy();
    });
  }

  it('takes a body cut with its connection for cut', async () => {
    onServe.serve = () => {};
    const raw = await fixture.raw();
    raw.write(`POST /clusters/c1/api HTTP/1.1\r\nHost: g\r\n${ALICE}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`);
    const served = await agent.request();
    await until(() => served.receivedBytes === 4);
    raw.socket.end();
    await until(() => served.isClosed);
    expect(served.hasEnded).to.equal(false);
  });

  it('serves pipelined requests one after the other', async () => {
    onServe.serve = () => {};
    const raw = await fixture.raw();
    raw.write(get('/clusters/c1/api/a') + get('/clusters/c1/api/b'));
    const first = await agent.request(0);
    await turns();
    expect(agent.served).to.have.length(1);
    first.answer(200, [], 'first');
    (await agent.request(1)).answer(200, [], 'second');
    const text = await raw.said('second');
    expect(text.indexOf('first')).to.be.below(text.indexOf('second'));
    raw.socket.destroy();
  });

  it('leaves nothing behind of pipelined requests whose connection is gone', async () => {
    onServe.serve = () => {};
    const raw = await fixture.raw();
    raw.write(get('/clusters/c1/api/v1/pods?watch=1').repeat(5));
    await agent.request(0);
    raw.socket.destroy();
    await until(() => fixture.isQuiet);
    expect(agent.served).to.have.length(1);
  });

  it('lets 32 pipelined requests wait on a connection, and cuts one with more', async () => {
    onServe.serve = () => {};
    const raw = await fixture.raw();
    raw.write(get('/clusters/c1/api/v1/pods?watch=1') + get('/clusters/c1/api').repeat(32));
    await agent.request(0);
    await turns();
    expect([raw.isClosed, fixture.counts.requests]).to.deep.equal([false, 1]);
    raw.write(get('/clusters/c1/api'));
    await until(() => raw.isClosed && fixture.isQuiet);
    expect(agent.served).to.have.length(1);
  });

  it('cuts a connection that asks for CONNECT while an answer is under way on it', async () => {
    onServe.serve = (served) => served.stream.sendHead({ status: 200, headers: [] });
    const raw = await fixture.raw();
    raw.write(`${get('/clusters/c1/api/v1/pods?watch=1')}CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n`);
    expect(await raw.closed()).to.not.contain('405');
    await until(() => fixture.isQuiet);
  });

  it('drops the bearer token and the identity that a client smuggles', async () => {
    const smuggled = [
      'Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.c2VjcmV0, v4.channel.k8s.io',
      'X-Remote-User: root',
      'X_Remote_User: root',
      'Cookie: session=secret',
      'Proxy-Authorization: Basic secret',
      'X-Forwarded-For: 127.0.0.1',
      'X-ClusterTunnel-User: root',
      'Connection: close, x-harmless',
      'X-Harmless: 1',
    ];
    await say(get('/clusters/c1/api', `${smuggled.join('\r\n')}\r\n`));
    const { head } = await agent.request();
    expect(untraced(head.headers)).to.deep.equal(['Host', 'g', 'Sec-WebSocket-Protocol', 'v4.channel.k8s.io']);
  });

  it('refuses trailers that could not be sent on, and the agent sees no end of the body', async () => {
    onServe.serve = () => {};
    const raw = await fixture.raw();
    raw.write(`POST /clusters/c1/api HTTP/1.1\r\nHost: g\r\n${ALICE}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`);
    const served = await agent.request();
    await until(() => served.receivedBytes === 1);
    raw.write(`0\r\n${'a: b\r\n'.repeat(201)}\r\n`);
    expect(statusIn(await raw.said('"code"'))).to.include({ code: 431, cause: 'headers_too_large' });
    await until(() => served.isClosed);
    expect(served.hasEnded).to.equal(false);
    raw.socket.destroy();
  });

  it('passes trailers on without what may not cross', async () => {
    const trailers = 'X-Sum: 1\r\nImpersonate-User: root\r\nX_Y: 2\r\nAuthorization: secret\r\n';
    onServe.serve = () => {};
    const raw = await fixture.raw();
    raw.write(
      `POST /clusters/c1/api HTTP/1.1\r\nHost: g\r\n${ALICE}Transfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n`,
    );
    const served = await agent.request();
    await until(() => served.hasEnded);
    expect(served.trailers).to.deep.equal(['X-Sum', '1']);
    served.answer(200);
    await raw.said('200 OK');
    raw.socket.destroy();
  });

  it('uses a connection again after a refusal whose body came whole', async () => {
    const raw = await fixture.raw();
    raw.write(`POST /nowhere HTTP/1.1\r\nHost: g\r\nContent-Length: 3\r\n\r\nabc${get('/clusters/c1/api')}`);
    const text = await raw.said('ok');
    expect(text.match(/HTTP\/1\.1 \d+/g)).to.deep.equal(['HTTP/1.1 404', 'HTTP/1.1 200']);
    raw.socket.destroy();
  });

  it('reads a refused body for a while only', async () => {
    const raw = await fixture.raw();
    raw.write('POST /clusters/c1/api HTTP/1.1\r\nHost: g\r\nContent-Length: 1000000000\r\n\r\nabc');
    expect(statusIn(await raw.said('"code"'))).to.include({ code: 401 });
    await until(() => fixture.counts.requests === 0);
    raw.write('more');
    await turns();
    expect(raw.isClosed).to.equal(false);
    fixture.clock.advance(5_000);
    await raw.closed();
  });

  it('asks an HTTP/2 client to stop sending a refused body', async () => {
    const raw = await http2();
    raw.write(headers(1, { ':method': 'POST', ':path': '/clusters/c1/api' }));
    await raw.said('"code":401');
    await until(() => frames(raw).some(({ type, id, payload }) => type === 0x3 && id === 1 && payload === u32(0)));
    raw.socket.destroy();
  });

  it('answers an HTTP/2 client with 429 on a connection that outlives the beginning of a drain', async () => {
    onServe.serve = () => {};
    const client = fixture.client('h2');
    const running = client.call({ path: '/clusters/c1/api/a' });
    const served = await agent.request();
    const raw = await fixture.raw();
    raw.write(get('/clusters/c1/api/b'));
    const other = await agent.request(1);
    const drained = fixture.gateway.drain(new AbortController().signal);
    raw.write(get('/clusters/c1/api/c'));
    other.answer(200, ['Content-Length', '2'], 'ok');
    const text = await raw.said('draining');
    const [, second = ''] = text.split('HTTP/1.1 429');
    expect(second).to.match(/retry-after: 5\r\n/);
    expect(second).to.match(/connection: close\r\n/i);
    await raw.closed();
    served.answer(200, [], 'done');
    expect(await bodyOf(await running.answer)).to.equal('done');
    let isDrained = false;
    void drained.then(() => {
      isDrained = true;
    });
    while (!isDrained) {
      fixture.clock.advance(50);
      await turns(1);
    }
    expect(agent.served).to.have.length(2);
  });

  it('tells those who wait in a draining gateway to go elsewhere', async () => {
    agent.cut();
    await until(() => fixture.counts.sessions === 0);
    const answer = whole(fixture.client('http/1.1'), { path: '/clusters/c1/api' });
    await until(() => fixture.counts.waiting === 1);
    const drained = fixture.gateway.drain(new AbortController().signal);
    const { status, headers: fields, text } = await answer;
    expect([status, fields['retry-after'], fields['connection']]).to.deep.equal([429, '5', 'close']);
    expect(text).to.contain('draining');
    await until(() => fixture.counts.requests === 0);
    fixture.clock.advance(100);
    await drained;
  });

  it('serves a new certificate to new connections', async () => {
    const { issueAuthority, issueServing } = await import('../../../../operator/gateway/front/certificates.ts');
    const running = await fixture.raw();
    const authority = await issueAuthority(new Date());
    fixture.gateway.setCertificate(await issueServing(authority, ['localhost'], new Date()));
    const { connect } = await import('node:tls');
    const socket = connect({ port: fixture.gateway.port, servername: 'localhost', ca: authority.cert });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    expect(socket.getProtocol()).to.be.oneOf(['TLSv1.2', 'TLSv1.3']);
    socket.destroy();
    running.write(get('/clusters/c1/api'));
    await running.said('200 OK');
    running.socket.destroy();
  });

  /** An HTTP/2 connection whose frames are the test's. */
  async function http2(): Promise<RawConnection> {
    const raw = await fixture.raw('h2');
    raw.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    raw.write(frame(0x4, 0, 0, ''));
    await until(() => frames(raw).some(({ type }) => type === 0x4));
    return raw;
  }
});

function u32(value: number): string {
  return Buffer.from([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]).toString('latin1');
}

/** RFC 9113 §4.1. */
function frame(type: number, flags: number, id: number, payload: string): string {
  return u32(payload.length).slice(1) + String.fromCharCode(type, flags) + u32(id) + payload;
}

/** HEADERS whose fields are literals that are never indexed (RFC 7541 §6.2.3), without Huffman codes. */
function headers(id: number, fields: Readonly<Record<string, string>>, { isEnd = false } = {}): string {
  const all = fields[':method'] === 'CONNECT' ? fields : { ':scheme': 'https', ':authority': 'g', ...fields };
  const text = (value: string) => String.fromCharCode(value.length) + value;
  const block = Object.entries(all).map(([name, value]) => `\x10${text(name)}${text(value)}`);
  return frame(0x1, isEnd ? 0x5 : 0x4, id, block.join(''));
}

/** The whole frames that arrived. */
function frames({ text }: RawConnection): { type: number; id: number; payload: string }[] {
  const found = [];
  for (let at = 0; at + 9 <= text.length; ) {
    const byte = (offset: number) => text.charCodeAt(at + offset);
    const length = (byte(0) << 16) | (byte(1) << 8) | byte(2);
    found.push({ type: byte(3), id: byte(8) | (byte(7) << 8), payload: text.slice(at + 9, at + 9 + length) });
    at += 9 + length;
  }
  return found;
}
