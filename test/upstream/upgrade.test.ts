import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect } from 'chai';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import type { RequestHead } from '../../tunnel/wire/head.ts';
import { Bench, over, pump } from '../agent/bench.ts';
import { echo, RecordingUpstream } from '../support/recording-upstream.ts';
import { valuesOf } from '../support/stub-upstream.ts';
import { until } from '../support/turns.ts';
import { untraced } from '../support/untraced.ts';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 30_000;
const MEBIBYTE = 2 ** 20;
const EXEC = '/api/v1/namespaces/default/pods/web/exec?command=sh&stdin=1';
/** What an exec through the gateway opens. */
const WEBSOCKET: Partial<RequestHead> = {
  path: EXEC,
  headers: ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version', '13', 'Upgrade', 'websocket'],
  deadlineMs: 0,
  isLongRunning: true,
  isUpgrade: true,
};
const SPDY: Partial<RequestHead> = {
  ...WEBSOCKET,
  method: 'POST',
  headers: ['X-Stream-Protocol-Version', 'v4.channel.k8s.io', 'Upgrade', 'SPDY/3.1'],
};

describe('upstream/upgrade', function () {
  this.timeout(BUSY_MACHINE_MS);
  let upstream: RecordingUpstream;
  let bench: Bench;

  beforeEach(async () => {
    upstream = await RecordingUpstream.start();
    bench = await new Bench({ url: upstream.url, ca: upstream.ca }).ready();
  });

  afterEach(async () => {
    await bench.close();
    expect(bench.budget.usedBytes, 'budget').to.equal(0);
    expect(bench.upstream.connections, 'connections to the upstream').to.equal(0);
    expect(bench.clock.pending, 'timers').to.equal(0);
    await upstream.close();
  });

  /** Both ends of an exchange that has switched protocols. */
  const switched = async (head: Partial<RequestHead> = WEBSOCKET) => {
    const owner = bench.gateway.open(head);
    const upgraded = await upstream.upgraded();
    await until(() => owner.heads.length > 0);
    return { owner, upgraded };
  };
  /** Nothing of the exchange is left at the agent. */
  const gone = () => until(() => bench.busy === 0 && bench.upstream.connections === 0);

  it('asks for the upgrade as the identity says, and relays the 101 line by line with the bytes behind it', async () => {
    upstream.script = {
      headers: ['Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'X-Name: caf\u00e9', 'x-odd: 1', 'X-Odd: 2'],
      firstBytes: 'behind the head',
    };
    const { owner, upgraded } = await switched({
      ...WEBSOCKET,
      headers: [...(WEBSOCKET.headers ?? []), 'X-Client', 'caf\u00e9'],
      identity: { user: 'jane', uid: 'u-1', groups: ['dev', 'ops'] },
    });
    expect(owner.heads).to.deep.equal([
      {
        status: 101,
        headers: [
          ...[
            'Sec-WebSocket-Accept',
            's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
            'X-Name',
            'caf\u00e9',
            'x-odd',
            '1',
            'X-Odd',
            '2',
          ],
          ...['Upgrade', 'websocket'],
        ],
      },
    ]);
    await until(() => owner.text === 'behind the head');
    expect(upgraded.request.method).to.equal('GET');
    expect(upgraded.request.url).to.equal(EXEC);
    expect(untraced(upgraded.rawHeaders)).to.deep.equal([
      ...['Host', new URL(upstream.url).host, 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
      ...['Sec-WebSocket-Version', '13', 'X-Client', 'caf\u00e9', 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
      ...['X-Trace-ID', 'trace', 'Authorization', 'Bearer agent-token'],
      ...['Impersonate-User', 'jane', 'Impersonate-Uid', 'u-1', 'Impersonate-Group', 'dev', 'Impersonate-Group', 'ops'],
    ]);
    expect(bench.pools.longRunning.running, 'a worker of the long-running pool').to.equal(1);
    expect(bench.pools.ordinary.running).to.equal(0);
  });

  it('asks for SPDY with a POST that has no body, whatever case the answer is in', async () => {
    upstream.script = { protocol: 'spdy/3.1' };
    const { owner, upgraded } = await switched(SPDY);
    expect(owner.heads[0]?.headers).to.deep.equal(['Upgrade', 'spdy/3.1']);
    expect(upgraded.request.method).to.equal('POST');
    expect(valuesOf(upgraded.rawHeaders, 'content-length')).to.deep.equal(['0']);
    expect(valuesOf(upgraded.rawHeaders, 'transfer-encoding')).to.deep.equal([]);
    expect(valuesOf(upgraded.rawHeaders, 'upgrade')).to.deep.equal(['SPDY/3.1']);
  });

  it('carries 10 MB each way at once, byte for byte', async () => {
    const up = randomBytes(10 * MEBIBYTE);
    const down = randomBytes(10 * MEBIBYTE);
    const hash = createHash('sha256');
    const { owner, upgraded } = await switched(SPDY);
    owner.onChunk = (chunk) => {
      hash.update(chunk);
      owner.chunks.length = 0;
    };
    const poured = upgraded.write(down).then(() => upgraded.end());
    await Promise.all([pump(owner, up), poured]);
    await over(owner);
    await until(() => upgraded.isClosed);
    expect(upgraded.sha256()).to.equal(createHash('sha256').update(up).digest('hex'));
    expect(hash.digest('hex')).to.equal(createHash('sha256').update(down).digest('hex'));
    await gone();
    expect(bench.ends).to.deep.equal([
      { code: ErrorCode.None, detail: '', status: 101, bytesIn: up.length, bytesOut: down.length },
    ]);
  });

  it('hands the FIN of the client on, and still carries what the API server says', async () => {
    const { owner, upgraded } = await switched();
    owner.stream.write(Buffer.from('last words'));
    owner.stream.end();
    await until(() => upgraded.hasEnded);
    expect(upgraded.text).to.equal('last words');
    await upgraded.write('and the answer');
    await until(() => owner.text === 'and the answer');
    expect([owner.ends, owner.closes, upgraded.isClosed]).to.deep.equal([0, 0, false]);
    upgraded.end();
    await over(owner);
    expect(owner.ends).to.equal(1);
    await gone();
    expect(bench.ends[0]).to.include({ code: ErrorCode.None, bytesIn: 10, bytesOut: 14 });
  });

  it('hands the FIN of the API server on, and still carries what the client says', async () => {
    const { owner, upgraded } = await switched();
    await upgraded.write('bye');
    upgraded.end();
    await until(() => owner.ends === 1);
    expect(owner.text).to.equal('bye');
    owner.stream.write(Buffer.from('one more thing'));
    await until(() => upgraded.text === 'one more thing');
    expect([owner.closes, bench.busy]).to.deep.equal([0, 1]);
    owner.stream.end();
    await over(owner);
    await gone();
    expect(upgraded.events).to.deep.equal(['switched', 'our end', 'their bytes', 'their end', 'closed']);
  });

  it('still hands over what the client sent last, when the API server has ended first and reads late', async () => {
    const { owner, upgraded } = await switched();
    upgraded.pause();
    upgraded.end();
    await until(() => owner.ends === 1);
    const bytes = randomBytes(MEBIBYTE);
    const pumped = pump(owner, bytes);
    await bench.pair.settle();
    upgraded.resume();
    await pumped;
    await over(owner);
    await gone();
    expect(upgraded.sha256()).to.equal(createHash('sha256').update(bytes).digest('hex'));
  });

  it('does not wait for ever for an API server that has ended and takes nothing more', async () => {
    const { owner, upgraded } = await switched();
    upgraded.pause();
    upgraded.end();
    await until(() => owner.ends === 1);
    // The kernel's buffers on both sides fill, and then the agent's own.
    const isStuck = () => bench.session.session.counts.bufferedBytes >= 32 * 1024;
    for (let still = 0; still < 20; still = isStuck() ? still + 1 : 0) {
      if (!isStuck()) owner.stream.write(Buffer.alloc(32 * 1024));
      await bench.pair.settle();
    }
    owner.stream.end();
    await over(owner);
    await bench.pair.settle();
    await bench.later(9_000);
    expect(bench.busy).to.equal(1);
    await bench.later(1_000);
    await gone();
    expect(bench.ends[0]).to.include({ code: ErrorCode.None });
  });

  it('keeps bytes that the client sent ahead until the 101 is there', async () => {
    upstream.script = { instead: '' };
    const owner = bench.gateway.open(SPDY);
    owner.stream.write(Buffer.from('early'));
    const upgraded = await upstream.upgraded();
    await bench.pair.settle();
    expect(upgraded.receivedBytes).to.equal(0);
    upgraded.switchTo({});
    await until(() => upgraded.text === 'early');
  });

  it('skips 100 and 103 on the way to the 101', async () => {
    upstream.script = { instead: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n' };
    const owner = bench.gateway.open(WEBSOCKET);
    const upgraded = await upstream.upgraded();
    await bench.pair.settle();
    upgraded.switchTo({ firstBytes: 'x' });
    await until(() => owner.text === 'x');
    expect(owner.heads.map(({ status }) => status)).to.deep.equal([101]);
  });

  describe('an answer that is no 101', () => {
    it('passes as it is, with nothing of the client in the connection that it came on', async () => {
      const body = '{"kind":"Status","code":403}';
      upstream.script = {
        instead: `HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      };
      const owner = bench.gateway.open(SPDY);
      owner.stream.write(Buffer.from('GET /api/v1/secrets HTTP/1.1\r\n\r\n'));
      await until(() => owner.ends === 1);
      expect(owner.heads).to.deep.equal([
        { status: 403, headers: ['Content-Type', 'application/json', 'Content-Length', String(body.length)] },
      ]);
      expect(owner.text).to.equal(body);
      await gone();
      const upgraded = await upstream.upgraded();
      await until(() => upgraded.hasEnded);
      owner.stream.write(Buffer.from('more'));
      await until(() => owner.stream.outbox.queuedBytes === 0);
      expect(upgraded.receivedBytes).to.equal(0);
      owner.stream.end();
      await over(owner);
      expect(bench.ends[0]).to.include({ code: ErrorCode.None, status: 403, bytesOut: body.length });
    });

    it('is streamed, with its trailers', async () => {
      upstream.script = {
        instead: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nfirst\r\n',
      };
      const owner = bench.gateway.open(WEBSOCKET);
      await until(() => owner.text === 'first');
      const upgraded = await upstream.upgraded();
      upgraded.say('5\r\n last\r\n0\r\nX-Sum: 42\r\n\r\n');
      await until(() => owner.ends === 1);
      expect(owner.text).to.equal('first last');
      expect(owner.trailers).to.deep.equal(['X-Sum', '42']);
      await gone();
    });

    it('is reset when it is cut', async () => {
      upstream.script = { instead: 'HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nhalf' };
      const owner = bench.gateway.open(WEBSOCKET);
      await until(() => owner.text === 'half');
      (await upstream.upgraded()).end();
      await over(owner);
      expect(owner.error).to.include({ code: ErrorCode.UpstreamReset, execution: 'unknown' });
      expect(owner.ends).to.equal(0);
      await gone();
    });

    it('is held up while nobody reads it', async () => {
      upstream.script = { instead: 'HTTP/1.1 200 OK\r\n\r\n' };
      const owner = bench.gateway.open(WEBSOCKET);
      owner.isReading = false;
      const upgraded = await upstream.upgraded();
      const bytes = randomBytes(8 * MEBIBYTE);
      const poured = upgraded.write(bytes);
      await until(() => bench.session.session.counts.queuedBytes >= 64 * 1024);
      await bench.pair.settle();
      expect(bench.session.session.counts.queuedBytes).to.be.at.most(128 * 1024);
      owner.isReading = true;
      owner.read();
      await poured;
      upgraded.end();
      await until(() => owner.ends === 1);
      expect(owner.bytes).to.equal(bytes.length);
      await gone();
    });

    it('tells of a 401, and the next request reads the token again', async () => {
      upstream.script = { instead: 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n' };
      const owner = bench.gateway.open(WEBSOCKET);
      await until(() => owner.errors.length === 1);
      expect(owner.error).to.include({ code: ErrorCode.UpstreamUnreachable, execution: 'not-executed' });
      expect(bench.unauthorized).to.equal(1);
    });
  });

  describe('an answer that breaks protocol', () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\n';
    for (const [name, instead, detail] of [
      ['another protocol', `${switching}Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n`, '"h2c"'],
      ['two protocols', `${switching}Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n`, '"none"'],
      ['a 101 without Upgrade', `${switching}Connection: Upgrade\r\n\r\n`, '101 without'],
      ['a 101 without Connection', `${switching}Upgrade: websocket\r\n\r\n`, '101 without'],
      ['a redirect', 'HTTP/1.1 307 No\r\nLocation: https://evil/\r\nContent-Length: 0\r\n\r\n', 'redirects'],
      ['no HTTP', 'NONSENSE\r\n\r\n', 'broke HTTP/1.1'],
      ['an endless head', `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`, 'more than 64 KiB'],
      ['too many lines', `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(1_500)}\r\n`, '1500 header lines'],
    ] as const) {
      it(`is refused: ${name}`, async () => {
        upstream.script = { instead };
        const owner = bench.gateway.open(WEBSOCKET);
        await over(owner);
        expect(owner.error).to.include({ code: ErrorCode.UpstreamProtocol, execution: 'unknown' });
        expect(owner.error.detail).to.include(detail);
        expect(owner.heads).to.deep.equal([]);
        const upgraded = await upstream.upgraded();
        await until(() => upgraded.hasEnded);
        await gone();
      });
    }
  });

  describe('somebody goes away', () => {
    it('the client: the connection is closed at once', async () => {
      const { owner, upgraded } = await switched();
      owner.stream.reset(ErrorCode.Cancel);
      await until(() => upgraded.hasEnded);
      await gone();
      expect(bench.ends[0]?.code).to.equal(ErrorCode.Cancel);
      await until(() => bench.gateway.gateway.freeSlots('longRunning') === 1_000);
    });

    it('the client, before there is an answer', async () => {
      upstream.script = { instead: '' };
      const owner = bench.gateway.open(WEBSOCKET);
      const upgraded = await upstream.upgraded();
      owner.stream.reset(ErrorCode.Cancel);
      await until(() => upgraded.hasEnded);
      await gone();
    });

    it('the client, after the API server has ended', async () => {
      const { owner, upgraded } = await switched();
      upgraded.end();
      await until(() => owner.ends === 1);
      owner.stream.reset(ErrorCode.Cancel);
      await until(() => upgraded.hasEnded);
      await gone();
    });

    it('the API server: a broken connection never looks like an end', async () => {
      const { owner, upgraded } = await switched();
      await upgraded.write('half');
      await until(() => owner.text === 'half');
      upstream.break(upgraded);
      await over(owner);
      expect(owner.ends).to.equal(0);
      expect(owner.error).to.include({ code: ErrorCode.UpstreamReset, execution: 'unknown' });
      await gone();
    });

    it('the API server, after it has ended: what the client still sends is reset', async () => {
      const { owner, upgraded } = await switched();
      upgraded.end();
      await until(() => owner.ends === 1);
      upstream.break(upgraded);
      owner.stream.write(Buffer.from('anybody there?'));
      await over(owner);
      expect(owner.error.code).to.equal(ErrorCode.UpstreamReset);
      await gone();
    });

    it('the gateway: every connection is closed', async () => {
      const owners = Array.from({ length: 8 }, () => bench.gateway.open(WEBSOCKET));
      await until(() => owners.every((owner) => owner.heads.length > 0));
      bench.pair.drop();
      await until(() => upstream.upgrades.every((upgraded) => upgraded.hasEnded));
      await gone();
      expect(bench.ends.map(({ code }) => code)).to.deep.equal(Array(8).fill(ErrorCode.SessionLost));
    });
  });

  describe('an upstream that cannot be reached', () => {
    it('certainly executed nothing: refused connection', async () => {
      await upstream.close();
      const owner = bench.gateway.open(SPDY);
      await over(owner);
      expect(owner.error).to.include({ code: ErrorCode.UpstreamUnreachable, execution: 'not-executed' });
      expect(owner.error.detail).to.include('connection refused');
      await gone();
      upstream = await RecordingUpstream.start();
    });

    it('certainly executed nothing, and saw no credential: a certificate of another CA', async () => {
      await bench.close();
      const other = await RecordingUpstream.start();
      bench = await new Bench({ url: upstream.url, ca: other.ca }).ready();
      const owner = bench.gateway.open(WEBSOCKET);
      await over(owner);
      expect(owner.error).to.include({ code: ErrorCode.UpstreamUnreachable, execution: 'not-executed' });
      expect(owner.error.detail).to.include('not signed by the expected CA');
      await gone();
      expect(upstream.upgrades).to.deep.equal([]);
      bench.upstream.reconfigure({ ca: upstream.ca });
      await switched();
      await other.close();
    });

    it('certainly executed nothing: no TLS within timeouts.connect; a client that leaves meanwhile leaves nothing', async () => {
      await bench.close();
      const silent = createServer().listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
      bench = await new Bench({ url, ca: upstream.ca }).ready();
      const [owner, leaving] = [bench.gateway.open(WEBSOCKET), bench.gateway.open(WEBSOCKET)];
      await until(() => bench.upstream.connections === 2);
      leaving.stream.reset(ErrorCode.Cancel);
      await until(() => bench.upstream.connections === 1);
      await bench.later(9_000);
      expect(owner.errors).to.deep.equal([]);
      await bench.later(1_000);
      await over(owner);
      expect(owner.error).to.include({ code: ErrorCode.UpstreamUnreachable, execution: 'not-executed' });
      expect(owner.error.detail).to.include('no connection in time');
      await gone();
      silent.close();
    });
  });

  it('refuses what cannot be sent, for an upgrade as for any other request', async () => {
    await bench.close();
    const token = async () => 'not\na token';
    bench = await new Bench({ url: upstream.url, ca: upstream.ca, token }).ready();
    for (const head of [WEBSOCKET, {}]) {
      const owner = bench.gateway.open(head, true);
      await over(owner);
      expect(owner.error).to.include({ code: ErrorCode.Internal, execution: 'not-executed' });
    }
    await gone();
    expect(upstream.upgrades).to.deep.equal([]);
  });

  it('gives up on an upstream that sends no head within timeouts.upstreamHeaders', async () => {
    upstream.script = { instead: 'HTTP/1.1 103 Early Hints\r\n\r\n' };
    const owner = bench.gateway.open(WEBSOCKET);
    const upgraded = await upstream.upgraded();
    await bench.later(29_000);
    expect(owner.errors).to.deep.equal([]);
    await bench.later(1_000);
    await over(owner);
    expect(owner.error).to.include({ code: ErrorCode.UpstreamTimeout, execution: 'unknown' });
    await until(() => upgraded.hasEnded);
    await gone();
  });

  it('has no deadline once it has switched, however long it is silent', async () => {
    upstream.script = { run: echo };
    const { owner } = await switched({ ...WEBSOCKET, deadlineMs: 60_000 });
    for (let minute = 0; minute < 10; minute++) await bench.later(60_000);
    owner.stream.write(Buffer.from('still there?'));
    await until(() => owner.text === 'still there?');
    expect(owner.errors).to.deep.equal([]);
  });

  it('takes no more of the client than the API server does: credit goes back when the socket has taken the bytes', async () => {
    const { owner, upgraded } = await switched();
    upgraded.pause();
    const bytes = randomBytes(32 * MEBIBYTE);
    let isPumped = false;
    const pumped = pump(owner, bytes).then(() => {
      isPumped = true;
    });
    let seen = -1;
    // The kernel's buffers on both sides fill; after that nothing moves.
    for (let still = 0; still < 100; still++) {
      await bench.pair.settle();
      if (owner.stream.outbox.queuedBytes !== seen) still = 0;
      seen = owner.stream.outbox.queuedBytes;
      expect(bench.session.session.counts.bufferedBytes).to.be.at.most(4 * MEBIBYTE);
    }
    expect(isPumped).to.equal(false);
    upgraded.resume();
    await pumped;
    await until(() => upgraded.hasEnded);
    expect(upgraded.sha256()).to.equal(createHash('sha256').update(bytes).digest('hex'));
  });

  it('takes no more of the API server than the client does, for as long as it likes', async () => {
    const { owner, upgraded } = await switched();
    owner.isReading = false;
    const bytes = randomBytes(16 * MEBIBYTE);
    let isPoured = false;
    const poured = upgraded.write(bytes).then(() => {
      isPoured = true;
    });
    await until(() => bench.session.session.counts.queuedBytes >= 64 * 1024);
    for (let minute = 0; minute < 3; minute++) await bench.later(60_000);
    expect(isPoured).to.equal(false);
    expect(bench.session.session.counts.queuedBytes).to.be.at.most(128 * 1024);
    expect(owner.errors).to.deep.equal([]);
    owner.isReading = true;
    owner.read();
    await poured;
    await until(() => owner.bytes === bytes.length);
    expect(Buffer.concat(owner.chunks).equals(bytes)).to.equal(true);
  });

  it('leaves no connection when the agent stops', async () => {
    const { upgraded } = await switched();
    await bench.upstream.close();
    await until(() => upgraded.hasEnded);
    await gone();
  });
});
