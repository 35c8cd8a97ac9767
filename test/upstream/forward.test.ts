import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import { Bench, over, pump } from '../agent/bench.ts';
import type { Owner } from '../conformance/harness.ts';
import { StubUpstream, valuesOf } from '../support/stub-upstream.ts';
import { until } from '../support/turns.ts';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 30_000;
const MEBIBYTE = 2 ** 20;

describe('upstream/forward', function () {
  this.timeout(BUSY_MACHINE_MS);
  let upstream: StubUpstream;
  let bench: Bench;

  beforeEach(async () => {
    upstream = await StubUpstream.start();
    bench = await new Bench({ url: upstream.url, ca: upstream.ca }).ready();
  });

  afterEach(async () => {
    await bench.close();
    expect(bench.budget.usedBytes, 'budget').to.equal(0);
    expect(bench.session.session.counts).to.deep.equal({
      streams: 0,
      queuedBytes: 0,
      bufferedBytes: 0,
      controlFrames: 0,
    });
    await upstream.close();
  });

  it('sends a GET as the identity says and relays the answer byte for byte', async () => {
    upstream.answer = (_, response) => {
      response.writeHead(200, ['Content-Type', 'text/plain', 'X-Odd', 'a', 'x-odd', 'b']);
      response.end('hello');
    };
    const owner = bench.gateway.open(
      {
        path: '/api/v1/pods?limit=1&x=%2F',
        identity: { user: 'jane', uid: 'u-1', groups: ['dev', 'system:authenticated'] },
      },
      true,
    );
    await over(owner);
    expect(owner.text).to.equal('hello');
    expect(owner.ends).to.equal(1);
    const [head] = owner.heads;
    expect(head?.status).to.equal(200);
    expect(valuesOf(head?.headers ?? [], 'x-odd')).to.deep.equal(['a', 'b']);
    expect(head?.headers).to.include('X-Odd');
    const { url, rawHeaders } = upstream.last;
    expect(url).to.equal('/api/v1/pods?limit=1&x=%2F');
    expect(valuesOf(rawHeaders, 'authorization')).to.deep.equal(['Bearer agent-token']);
    expect(valuesOf(rawHeaders, 'impersonate-user')).to.deep.equal(['jane']);
    expect(valuesOf(rawHeaders, 'impersonate-uid')).to.deep.equal(['u-1']);
    expect(valuesOf(rawHeaders, 'impersonate-group')).to.deep.equal(['dev', 'system:authenticated']);
    expect(valuesOf(rawHeaders, 'x-trace-id')).to.deep.equal(['trace']);
    expect(valuesOf(rawHeaders, 'host')).to.deep.equal([new URL(upstream.url).host]);
    await until(() => bench.ends.length > 0);
    expect(bench.ends[0]).to.include({ code: ErrorCode.None, status: 200, bytesOut: 5 });
  });

  it('drops hop-by-hop fields of the answer and those it nominates', async () => {
    upstream.answer = (_, response) => {
      response.writeHead(200, ['Connection', 'x-secret', 'X-Secret', '1', 'Keep-Alive', 'timeout=5', 'X-Kept', '1']);
      response.end();
    };
    const owner = bench.gateway.open({}, true);
    await over(owner);
    const names = (owner.heads[0]?.headers ?? []).filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
    expect(names).to.include('x-kept');
    expect(names).to.not.include.members(['x-secret']);
    expect(names).to.not.include.members(['keep-alive']);
    expect(names).to.not.include.members(['transfer-encoding']);
  });

  it('streams a body of 20 MB upstream, with a known length and without', async () => {
    const body = Buffer.alloc(20 * MEBIBYTE, 'abcdefghij');
    for (const headers of [[], ['Content-Length', String(body.length)]]) {
      upstream.answer = (request, response) => request.on('end', () => response.end('done'));
      const owner = bench.gateway.open({ method: 'POST', headers });
      await pump(owner, body);
      await over(owner);
      expect(owner.text).to.equal('done');
      expect(hashOf(upstream.last.chunks)).to.equal(hashOf([body]));
      expect(valuesOf(upstream.last.rawHeaders, 'content-length')).to.deep.equal(headers.slice(1));
    }
  });

  it('does not take more of a body than the upstream reads', async () => {
    upstream.readsBodies = false;
    let resume = () => {};
    upstream.answer = (request, response) => {
      resume = () => request.resume().on('end', () => response.end());
    };
    const owner = bench.gateway.open({ method: 'PUT' });
    let isPumped = false;
    const pumped = pump(owner, Buffer.alloc(32 * MEBIBYTE)).then(() => {
      isPumped = true;
    });
    let seen = -1;
    // The kernel's buffers on both sides fill; after that nothing moves.
    for (let still = 0; still < 200; still++) {
      await bench.pair.settle();
      if (owner.stream.outbox.queuedBytes !== seen) still = 0;
      seen = owner.stream.outbox.queuedBytes;
      expect(bench.session.session.counts.bufferedBytes).to.be.at.most(4 * MEBIBYTE);
    }
    expect(isPumped).to.equal(false);
    resume();
    await pumped;
    await over(owner);
    expect(owner.errors).to.deep.equal([]);
  });

  it('streams 100 MB to a slow reader without holding more than its window', async () => {
    const total = 100 * MEBIBYTE;
    const chunk = Buffer.alloc(256 * 1024, 7);
    upstream.answer = (_, response) => {
      let left = total;
      const more = () => {
        while (left > 0 && response.write(chunk)) left -= chunk.length;
        if (left > 0) {
          left -= chunk.length;
          response.once('drain', more);
        } else response.end();
      };
      response.writeHead(200, { 'content-length': total });
      more();
    };
    const owner = bench.gateway.open({}, true);
    owner.isReading = false;
    let bytes = 0;
    let peakQueued = 0;
    owner.onChunk = (data) => {
      bytes += data.length;
      owner.chunks.length = 0;
      setImmediate(() => owner.stream.consume(data.length));
      peakQueued = Math.max(peakQueued, bench.session.session.counts.queuedBytes);
    };
    const before = process.memoryUsage().rss;
    await over(owner);
    expect(bytes).to.equal(total);
    expect(peakQueued).to.be.at.most(64 * 1024 + 64 * 1024);
    expect(process.memoryUsage().rss - before).to.be.below(96 * MEBIBYTE);
  });

  it('pauses the upstream when nobody reads, and cuts an ordinary answer after timeouts.backpressure', async () => {
    let written = 0;
    upstream.answer = (_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(64 * 1024))) written += 64 * 1024;
        response.once('drain', more);
      };
      more();
    };
    const owner = bench.gateway.open({}, true);
    owner.isReading = false;
    await until(() => bench.session.session.counts.queuedBytes >= 64 * 1024);
    let seen = -1;
    for (let still = 0; still < 100; still++) {
      await bench.pair.settle();
      if (written !== seen) still = 0;
      seen = written;
    }
    expect(bench.session.session.counts.queuedBytes).to.be.at.most(128 * 1024);
    await bench.later(9_000);
    expect(owner.errors).to.deep.equal([]);
    await bench.later(4_000);
    await over(owner);
    expect(owner.error.code).to.equal(ErrorCode.Backpressure);
    await until(() => upstream.last.isAborted && bench.busy === 0);
  });

  describe('an answer whose tail waits for its reader while the API server closes the connection', () => {
    const framings = {
      'with a length': (bytes: number) => `Content-Length: ${bytes}\r\n`,
      'with a length, announced as the last': (bytes: number) => `Content-Length: ${bytes}\r\nConnection: close\r\n`,
      'as long as the connection': () => 'Connection: close\r\n',
    };
    /** Whatever the size of its chunks is: one of these ends with the chunk after which the agent reads no further. */
    const sizes = Array.from({ length: 9 }, (_, at) => (64 + 8 * at) * 1024);
    /** An answer that nobody reads, once its connection ends as `end` says. */
    const unread = async (head: string, bytes: number, end: (request: IncomingMessage) => void): Promise<Owner> => {
      let isClosed = false;
      upstream.answer = (request) => {
        const { socket } = request;
        socket.once('close', () => {
          isClosed = true;
        });
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n${'x'.repeat(bytes)}`, () => end(request));
      };
      const owner = bench.gateway.open({}, true);
      owner.isReading = false;
      await until(() => isClosed);
      await bench.pair.settle();
      owner.isReading = true;
      owner.read();
      await over(owner);
      return owner;
    };

    for (const [framing, head] of Object.entries(framings)) {
      it(`${framing}: comes whole`, async () => {
        for (const bytes of sizes) {
          const owner = await unread(head(bytes), bytes, ({ socket }) => socket.end());
          expect(owner.errors, `${bytes} bytes`).to.deep.equal([]);
          expect([owner.bytes, owner.ends]).to.deep.equal([bytes, 1]);
        }
      });

      it(`${framing}, and the connection breaks: it fails unless it was whole, and the agent lives`, async () => {
        for (const bytes of sizes) {
          const owner = await unread(head(bytes), bytes, (request) => upstream.break(request));
          if (owner.ends === 0) expect(owner.error.code).to.equal(ErrorCode.UpstreamReset);
          else expect([owner.errors, owner.bytes]).to.deep.equal([[], bytes]);
        }
      });
    }
  });

  it('leaves a long-running answer alone however long nobody reads', async () => {
    upstream.answer = (_, response) => response.write(Buffer.alloc(MEBIBYTE));
    const owner = bench.gateway.open({ isLongRunning: true, deadlineMs: 0 }, true);
    owner.isReading = false;
    await until(() => bench.session.session.counts.queuedBytes >= 64 * 1024);
    for (let minute = 0; minute < 5; minute++) await bench.later(60_000);
    expect(owner.errors).to.deep.equal([]);
    expect(bench.pools.longRunning.running).to.equal(1);
  });

  it('aborts the upstream when the client goes away half-way, and frees the worker', async () => {
    upstream.answer = (_, response) => response.write('first');
    const owner = bench.gateway.open({}, true);
    await until(() => owner.text === 'first');
    expect(bench.pools.ordinary.running).to.equal(1);
    owner.stream.reset(ErrorCode.Cancel);
    await until(() => upstream.last.isAborted);
    await until(() => bench.busy === 0 && bench.upstream.connections === 0);
    expect(bench.ends[0]?.code).to.equal(ErrorCode.Cancel);
    await until(() => bench.gateway.gateway.freeSlots('ordinary') === 64);
  });

  it('aborts the upstream when the client goes away in its own body: it never looks complete', async () => {
    upstream.answer = () => {};
    const owner = bench.gateway.open({ method: 'POST' });
    owner.stream.write(Buffer.alloc(1_000));
    await until(() => upstream.received.length === 1 && upstream.last.bodyBytes === 1_000);
    owner.stream.reset(ErrorCode.Cancel);
    await until(() => upstream.last.isAborted && bench.busy === 0);
    expect(upstream.last.isWhole).to.equal(false);
  });

  it('aborts every exchange when the session is lost', async () => {
    upstream.answer = (_, response) => response.write('x');
    const owners = Array.from({ length: 20 }, (_, at) => bench.gateway.open({ isLongRunning: at < 5 }, true));
    await until(() => owners.every((owner) => owner.text === 'x'));
    bench.pair.drop();
    await until(() => upstream.received.every((received) => received.isAborted));
    await until(() => bench.busy === 0 && bench.upstream.connections === 0);
    expect(bench.ends.map((end) => end.code)).to.deep.equal(Array(20).fill(ErrorCode.SessionLost));
  });

  it('cuts a request whose time is over, and says so', async () => {
    upstream.answer = () => {};
    const owner = bench.gateway.open({ deadlineMs: 5_000 }, true);
    await until(() => upstream.received.length === 1);
    bench.clock.advance(5_000);
    await over(owner);
    expect(owner.error).to.include({ code: ErrorCode.Deadline, execution: 'unknown' });
    await until(() => upstream.last.isAborted && bench.busy === 0);
  });

  it('keeps the deadlines of all requests, and its watch over those that nobody reads, behind one timer', async () => {
    upstream.answer = (_, response) => response.write(Buffer.alloc(MEBIBYTE));
    const owners = Array.from({ length: 20 }, () => bench.gateway.open({ deadlineMs: 60_000 }, true));
    for (const owner of owners) owner.isReading = false;
    await until(() => owners.every((owner) => owner.bytes > 0));
    await bench.pair.settle();
    expect(bench.clock.pending).to.equal(1);
    bench.pair.drop();
    await until(() => bench.busy === 0);
    expect(bench.clock.pending, 'of a session that ended').to.equal(0);
  });

  it('says that a redirect may not pass, before any head', async () => {
    for (const status of [301, 302, 307, 308]) {
      upstream.answer = (_, response) => response.writeHead(status, { location: 'https://evil/' }).end();
      const owner = bench.gateway.open({}, true);
      await over(owner);
      expect(owner.error.code).to.equal(ErrorCode.UpstreamProtocol);
      expect(owner.error.detail).to.include(`${status}`);
      expect(owner.heads).to.deep.equal([]);
    }
    await until(() => bench.busy === 0);
  });

  it('relays 304 and 204, and HEAD without a body', async () => {
    for (const [method, status] of [
      ['GET', 304],
      ['GET', 204],
      ['HEAD', 200],
    ] as const) {
      upstream.answer = (_, response) =>
        response.writeHead(status, method === 'HEAD' ? { 'content-length': 9 } : {}).end();
      const owner = bench.gateway.open({ method }, true);
      await over(owner);
      expect(owner.heads[0]?.status).to.equal(status);
      expect(owner.bytes).to.equal(0);
      expect(owner.ends).to.equal(1);
    }
  });

  it('relays trailers, and drops 103 before the answer', async () => {
    upstream.answer = (_, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.writeHead(200, { trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers([['X-Sum', '42']]);
      response.end();
    };
    const owner = bench.gateway.open({}, true);
    await over(owner);
    expect(owner.heads.map((head) => head.status)).to.deep.equal([200]);
    expect(owner.trailers).to.deep.equal(['X-Sum', '42']);
  });

  it('resets a cut answer: it never ends cleanly', async () => {
    upstream.answer = (request, response) => {
      response.write('half');
      response.once('drain', () => {});
      setImmediate(() => request.socket.destroy());
    };
    const owner = bench.gateway.open({}, true);
    await over(owner);
    expect(owner.ends).to.equal(0);
    expect(owner.error).to.include({ code: ErrorCode.UpstreamReset, execution: 'unknown' });
  });

  it('takes a complete answer for a sign of health, and none that broke off', async () => {
    let request: IncomingMessage | undefined;
    upstream.answer = (asked, response) => {
      request = asked;
      response.write('an event');
    };
    const watch = bench.gateway.open({ isLongRunning: true, deadlineMs: 0 }, true);
    await until(() => watch.text === 'an event');
    if (request !== undefined) upstream.break(request);
    await over(watch);
    await until(() => bench.ends.length === 1);
    expect(bench.ends[0]).to.include({ code: ErrorCode.UpstreamReset, status: 200 });
    expect(bench.lastAnswerMs).to.equal(undefined);
    upstream.answer = (_, response) => response.end('ok');
    await over(bench.gateway.open({}, true));
    expect(bench.lastAnswerMs).to.equal(bench.clock.nowMs());
  });

  it('calls a malformed answer a breach of protocol', async () => {
    upstream.answer = (request) => request.socket.end('NONSENSE\r\n\r\n');
    const owner = bench.gateway.open({}, true);
    await over(owner);
    expect(owner.error.message).to.match(/^UPSTREAM_PROTOCOL: .*broke HTTP/);
  });

  it('gives up on an upstream that sends no head in time', async () => {
    await bench.close();
    const settings = bench.limits.current;
    const timeouts = { ...settings.timeouts, upstreamHeadersMs: 1 };
    bench = await new Bench({ url: upstream.url, ca: upstream.ca, settings: { ...settings, timeouts } }).ready();
    upstream.answer = () => {};
    const owner = bench.gateway.open({}, true);
    await over(owner);
    expect(owner.error).to.include({ code: ErrorCode.UpstreamTimeout, execution: 'unknown' });
    await until(() => upstream.last.isAborted && bench.busy === 0);
  });

  it('keeps connections: 50 requests one after another use one', async () => {
    const ports = new Set<number | undefined>();
    upstream.answer = (request, response) => {
      ports.add(request.socket.remotePort);
      response.end('ok');
    };
    for (let at = 0; at < 50; at++) await over(bench.gateway.open({ method: at % 2 === 0 ? 'GET' : 'DELETE' }, true));
    expect(ports.size).to.equal(1);
    expect(bench.upstream.connections).to.equal(1);
  });

  it('answers an early end of the upstream while the client still sends, and lets go of the rest', async () => {
    upstream.readsBodies = false;
    upstream.answer = (_, response) => response.writeHead(413, { connection: 'close' }).end('too large');
    const owner = bench.gateway.open({ method: 'POST' });
    owner.stream.write(Buffer.alloc(8 * 1024));
    await until(() => owner.ends === 1);
    expect(owner.text).to.equal('too large');
    await until(() => bench.busy === 0);
    for (let at = 0; at < 64; at++) owner.stream.write(Buffer.alloc(8 * 1024));
    await until(() => owner.stream.outbox.queuedBytes === 0);
    await bench.later(13_000);
    await over(owner);
    expect(owner.error.code).to.equal(ErrorCode.None);
  });

  it('serves what the gateway had opened before it left, and finishes it', async () => {
    upstream.answer = (_, response) => setImmediate(() => response.end('served'));
    const owners = Array.from({ length: 10 }, () => bench.gateway.open({}, true));
    bench.gateway.gateway.session.drain(ErrorCode.Draining, 'the gateway is leaving');
    for (const owner of owners) await over(owner);
    expect(owners.map((owner) => owner.text)).to.deep.equal(Array(10).fill('served'));
    await until(() => bench.session.session.isClosed && bench.busy === 0);
  });

  it('never sends what hostile heads would smuggle in', async () => {
    const hostile = [
      { headers: ['Impersonate-User', 'root'] },
      { headers: ['Impersonate_Group', 'system:masters'] },
      { headers: ['Connection', 'impersonate-user'] },
      { headers: ['X-Remote-User', 'root'] },
      { headers: ['Authorization', 'Bearer hub-token'] },
      { headers: ['X-A', 'b\r\nImpersonate-User: root'] },
      { headers: ['Transfer-Encoding', 'chunked', 'Content-Length', '3'] },
      { path: '/api/..%2f' },
      { method: 'CONNECT' },
      { identity: { user: 'jane\r\nX: y', uid: '', groups: [] } },
      { identity: { user: 'jane', uid: '', groups: ['system:masters'] } },
      { isUpgrade: true },
    ];
    for (const head of hostile) {
      const owner = bench.gateway.open(head, true);
      await over(owner);
      expect(owner.error, JSON.stringify(head)).to.include({
        code: ErrorCode.PolicyDenied,
        execution: 'not-executed',
      });
    }
    expect(upstream.received).to.deep.equal([]);
    expect(bench.upstream.connections).to.equal(0);
    await until(() => bench.gateway.gateway.freeSlots('ordinary') === 64);
  });

  it("refuses when the API server does not accept the agent's token: it is not the user's that is bad", async () => {
    upstream.answer = (_, response) => response.writeHead(401).end();
    const owner = bench.gateway.open({}, true);
    await over(owner);
    expect(owner.heads).to.deep.equal([]);
    expect(owner.error).to.include({ code: ErrorCode.UpstreamUnreachable, execution: 'not-executed' });
    expect(owner.error.detail).to.equal("it does not accept the agent's own token (401)");
    expect(bench.unauthorized).to.equal(1);
    await until(() => bench.gateway.gateway.freeSlots('ordinary') === 64);
  });

  it('relays the 401 of what stands behind the proxy of an API server', async () => {
    upstream.answer = (_, response) => response.writeHead(401).end();
    const path = '/api/v1/namespaces/default/services/web/proxy/login';
    const owner = bench.gateway.open({ path, isLongRunning: true }, true);
    await over(owner);
    expect([owner.heads[0]?.status, owner.errors.length]).to.deep.equal([401, 0]);
  });

  it('refuses what policy denies, and gives the slot back', async () => {
    const owner = bench.gateway.open({ identity: undefined }, true);
    await over(owner);
    expect(owner.error).to.include({ code: ErrorCode.PolicyDenied, execution: 'not-executed' });
    await until(() => bench.gateway.gateway.freeSlots('ordinary') === 64);
    expect(upstream.received).to.deep.equal([]);
  });

  it('refuses when there is no credential to send', async () => {
    await bench.close();
    const token = () => Promise.reject(new Error('cannot read /token'));
    bench = await new Bench({ url: upstream.url, ca: upstream.ca, token }).ready();
    const owner = bench.gateway.open({}, true);
    await over(owner);
    expect(owner.error).to.include({ code: ErrorCode.UpstreamUnreachable, execution: 'not-executed' });
    expect(owner.error.detail).to.include('cannot read /token');
    expect(upstream.received).to.deep.equal([]);
  });

  it('queues a few requests beyond the limit when it shrank, and refuses the rest', async () => {
    upstream.answer = () => {};
    bench.pools.ordinary.limit = 2;
    const owners = Array.from({ length: 10 }, () => bench.gateway.open({}, true));
    await until(() => upstream.received.length === 2 && owners.filter((owner) => owner.closes > 0).length === 4);
    expect(bench.pools.ordinary).to.include({ running: 2, queued: 4 });
    const refused = owners.filter((owner) => owner.closes > 0);
    for (const owner of refused) {
      expect(owner.error).to.include({ code: ErrorCode.Overload, execution: 'not-executed' });
    }
    for (const owner of owners) owner.stream.reset(ErrorCode.Cancel);
    await until(() => bench.busy === 0);
  });

  describe('an upstream that cannot be reached', () => {
    it('certainly executed nothing: refused connection', async () => {
      await upstream.close();
      const owner = bench.gateway.open({ method: 'POST' }, true);
      await over(owner);
      expect(owner.error).to.include({ code: ErrorCode.UpstreamUnreachable, execution: 'not-executed' });
      expect(owner.error.detail).to.include('connection refused');
      await until(() => bench.busy === 0);
      upstream = await StubUpstream.start();
    });

    it('certainly executed nothing: a certificate of another CA', async () => {
      await bench.close();
      const other = await StubUpstream.start();
      bench = await new Bench({ url: upstream.url, ca: other.ca }).ready();
      const owner = bench.gateway.open({}, true);
      await over(owner);
      expect(owner.error).to.include({ code: ErrorCode.UpstreamUnreachable, execution: 'not-executed' });
      expect(owner.error.detail).to.include('not signed by the expected CA');
      expect(upstream.received).to.deep.equal([]);
      await other.close();
    });

    it('is reached again as soon as it is back, with the CA it then has', async () => {
      const other = await StubUpstream.start();
      await bench.close();
      bench = await new Bench({ url: upstream.url, ca: other.ca }).ready();
      const failed = bench.gateway.open({}, true);
      await over(failed);
      bench.upstream.reconfigure({ ca: upstream.ca });
      const owner = bench.gateway.open({}, true);
      await over(owner);
      expect(owner.text).to.equal('ok');
      await other.close();
    });
  });
});

function hashOf(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}
