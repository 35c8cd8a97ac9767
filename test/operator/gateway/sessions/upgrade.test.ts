import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { UNSETTLED_MS } from '../../../../operator/gateway/sessions/unsettled.ts';
import { ErrorCode } from '../../../../tunnel/wire/codes.ts';
import {
  type AgentScript,
  GatewayFixture,
  type RawConnection,
  type ScriptedAgent,
  type Served,
} from '../../../support/gateway-fixture.ts';
import { turns, until } from '../../../support/turns.ts';
import { untraced } from '../../../support/untraced.ts';

/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;
const MEBIBYTE = 1024 * 1024;
const EXEC = '/clusters/c1/api/v1/namespaces/default/pods/p/exec?command=env&stdin=true';
const SWITCH = ['Upgrade', 'websocket', 'Sec-WebSocket-Accept', 'yes'];

interface Asking {
  readonly path?: string;
  readonly method?: string;
  readonly protocol?: string;
  readonly token?: string;
  /** More header lines, each with its end. */
  readonly lines?: string;
  readonly version?: string;
}

/** A request to switch protocols, as bytes. */
function asking({ path = EXEC, method = 'GET', protocol = 'websocket', token = 'alice', ...more }: Asking = {}) {
  const { lines = '', version = '1.1' } = more;
  const upgrade = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
  return `${method} ${path} HTTP/${version}\r\nHost: g\r\nAuthorization: Bearer ${token}\r\n${upgrade}${lines}\r\n`;
}

/** Head and body of the first answer in a text; a chunked body is read to its last chunk. */
function answerIn(text: string) {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Map(lines.map((line) => line.split(': ', 2) as [string, string]));
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]), headers, body: text.slice(end + 4) };
}

function statusIn(text: string) {
  const { status, headers, body } = answerIn(text);
  const told = JSON.parse(body);
  expect(told).to.include({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status });
  expect(headers.get('connection')).to.equal('close');
  return { status, retryAfter: headers.get('retry-after'), cause: told.details.causes[0].reason, told };
}

describe('operator/gateway/sessions/upgrade', function () {
  this.timeout(BUSY_MACHINE_MS);
  let fixture: GatewayFixture;
  let lines: { message: string; fields: Record<string, unknown> }[];
  beforeEach(async () => {
    lines = [];
    const write = (message: string, fields = {}) => lines.push({ message, fields });
    const log = { error: write, warn: write, info: write, debug: write, child: () => log };
    fixture = await GatewayFixture.start({ log });
  });
  afterEach(async () => {
    try {
      await until(() => fixture.isQuiet);
      expect(lines.filter(({ fields }) => fields['code'] === 'internal')).to.deep.equal([]);
    } finally {
      await fixture.stop();
    }
  });
  const audit = () => lines.filter(({ message }) => message === 'audit').map(({ fields }) => fields);

  async function ask(bytes: string): Promise<RawConnection> {
    const raw = await fixture.raw('http/1.1', { allowHalfOpen: true });
    raw.write(bytes);
    return raw;
  }

  /** What the gateway said until it closed. */
  async function told(bytes: string): Promise<string> {
    const raw = await fixture.raw();
    raw.write(bytes);
    return raw.closed();
  }

  /** Both ends of an upgrade, switched. */
  async function switched(script: AgentScript = {}) {
    const agent = await fixture.agent(script);
    const raw = await ask(asking());
    const served = await agent.request();
    served.stream.sendHead({ status: 101, headers: SWITCH });
    await raw.said('\r\n\r\n');
    const head = raw.text;
    raw.text = '';
    return { agent, raw, served, head };
  }

  /** An agent that answers every upgrade like this. */
  const serving = (serve: (served: Served) => void): Promise<ScriptedAgent> => fixture.agent({ serve });

  describe('asks the agent', () => {
    for (const [method, protocol, canonical] of [
      ['GET', 'websocket', 'websocket'],
      ['GET', 'WebSocket', 'websocket'],
      ['POST', 'SPDY/3.1', 'SPDY/3.1'],
      ['POST', 'spdy/3.1', 'SPDY/3.1'],
    ] as const) {
      it(`with ${method} to ${protocol}`, async () => {
        const agent = await serving((served) => served.answer(403));
        await told(asking({ method, protocol, lines: 'Content-Length: 0\r\nSec-WebSocket-Key: k\r\n' }));
        const { head } = await agent.request();
        expect(head).to.include({ method, path: EXEC.slice('/clusters/c1'.length), deadlineMs: 0 });
        expect(head).to.include({ isUpgrade: true, isLongRunning: true });
        expect(untraced(head.headers)).to.deep.equal([
          'Host',
          'g',
          'Content-Length',
          '0',
          'Sec-WebSocket-Key',
          'k',
          'Upgrade',
          canonical,
        ]);
        expect(head.identity?.user).to.equal('alice');
        expect(fixture.reviewed.access).to.deep.equal([{ user: 'alice', name: 'c1', verb: 'create' }]);
      });
    }

    it('for a worker of the long-running ones, whatever the path', async () => {
      const agent = await fixture.agent({ slots: { ordinary: 1, longRunning: 0 } });
      const raw = await ask(asking({ path: '/clusters/c1/some/where' }));
      await until(() => fixture.counts.waiting === 1);
      agent.session.announce({ ordinary: 0, longRunning: 1 });
      (await agent.request()).answer(404, ['Content-Length', '0']);
      expect(answerIn(await raw.said('404')).status).to.equal(404);
      raw.reset();
    });

    it('nothing for an Upgrade that Connection does not name: that is an ordinary request', async () => {
      const agent = await serving((served) => served.answer(200));
      const raw = await ask(asking().replace('Connection: Upgrade\r\n', 'Connection: close\r\n'));
      expect(await raw.said('200')).to.match(/^HTTP\/1\.1 200 /);
      const { head } = await agent.request();
      expect(head.isUpgrade).to.equal(false);
      expect(untraced(head.headers)).to.deep.equal(['Host', 'g']);
      raw.reset();
    });
  });

  describe('after the head 101', () => {
    it('has told the client to which protocol, and what else the target said', async () => {
      const { raw, served, head } = await switched();
      const [statusLine, ...rest] = head.trimEnd().split('\r\n');
      expect(statusLine).to.equal('HTTP/1.1 101 Switching Protocols');
      expect(rest.slice(0, -2)).to.deep.equal([
        'Sec-WebSocket-Accept: yes',
        'Upgrade: websocket',
        'Connection: Upgrade',
      ]);
      const [, traceId] = /^X-Trace-ID: ([0-9a-f]{32})$/.exec(rest.at(-2) ?? '') ?? [];
      expect(rest.at(-1)).to.match(new RegExp(`^traceparent: 00-${traceId}-[0-9a-f]{16}-00$`));
      served.stream.end();
      raw.socket.end();
    });

    it('carries bytes both ways, the first ones too', async () => {
      const agent = await fixture.agent({
        serve: (served) => {
          served.stream.sendHead({ status: 101, headers: SWITCH });
          served.stream.write(Buffer.from('behind the head'));
        },
      });
      const raw = await ask(`${asking()}before the head`);
      const served = await agent.request();
      await raw.said('behind the head');
      expect(raw.text).to.match(/\r\n\r\nbehind the head$/);
      await until(() => served.body === 'before the head');
      raw.write('\x81\x00more');
      await until(() => Buffer.concat(served.chunks).toString('latin1') === 'before the head\x81\x00more');
      served.stream.end();
      raw.socket.end();
      await until(() => served.hasEnded);
    });

    it('has left what the client said early in its socket', async () => {
      const agent = await fixture.agent();
      const raw = await ask(`${asking()}early`);
      const served = await agent.request();
      raw.socket.write(Buffer.alloc(8 * MEBIBYTE, 'x'));
      await turns(200);
      expect([served.receivedBytes, fixture.counts.queuedBytes]).to.deep.equal([0, 0]);
      served.stream.sendHead({ status: 101, headers: SWITCH });
      await until(() => served.receivedBytes === 8 * MEBIBYTE + 5);
      expect(served.body.slice(0, 7)).to.equal('earlyxx');
      raw.reset();
      await until(() => served.isClosed);
    });

    it('carries 8 MiB each way at once, byte for byte', async () => {
      const { raw, served } = await switched();
      const bytes = Buffer.from(Array.from({ length: 1024 }, (_, at) => (at * 7) % 251));
      const all = Buffer.concat(Array(8 * 1024).fill(bytes));
      const hash = createHash('sha256');
      let received = 0;
      raw.socket.removeAllListeners('data');
      raw.socket.on('data', (chunk) => {
        received += chunk.length;
        hash.update(chunk);
      });
      raw.socket.write(all);
      served.stream.write(Buffer.from(all));
      await until(() => served.receivedBytes === all.length && received === all.length);
      const digest = createHash('sha256').update(all).digest('hex');
      expect(hash.digest('hex')).to.equal(digest);
      expect(createHash('sha256').update(Buffer.concat(served.chunks)).digest('hex')).to.equal(digest);
      served.stream.end();
      raw.socket.end();
    });

    it('holds the client back while the agent takes nothing', async () => {
      const { raw, served } = await switched();
      served.takesBody = false;
      let written = 0;
      const chunk = Buffer.alloc(64 * 1024);
      const fill = () => {
        while (written < 64 * MEBIBYTE) {
          written += chunk.length;
          if (!raw.socket.write(chunk)) return;
        }
      };
      raw.socket.on('drain', fill);
      fill();
      await until(() => fixture.counts.queuedBytes > 0);
      await turns(200);
      expect(fixture.counts.queuedBytes).to.be.below(MEBIBYTE);
      expect(written).to.be.below(32 * MEBIBYTE);
      served.stream.reset(ErrorCode.UpstreamReset, 'enough');
      await until(() => raw.isClosed);
    });

    it('holds the agent back while the client takes nothing', async () => {
      const { raw, served } = await switched();
      raw.socket.pause();
      let poured = 0;
      const pouring = served.pour(50 * MEBIBYTE, (bytes) => {
        poured = bytes;
      });
      let before = -1;
      while (poured !== before) {
        before = poured;
        await turns(100);
      }
      expect(poured).to.be.below(24 * MEBIBYTE);
      expect(fixture.counts.bufferedBytes).to.be.at.most(4 * MEBIBYTE);
      raw.reset();
      await pouring;
      await until(() => served.isClosed);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
    });

    it('goes on to the client when the client has said its last word', async () => {
      const { raw, served } = await switched();
      raw.socket.end('that was all');
      await until(() => served.hasEnded);
      expect(served.body).to.equal('that was all');
      expect(raw.hasEnded).to.equal(false);
      served.stream.write(Buffer.from('the answer'));
      await raw.said('the answer');
      served.stream.end();
      await until(() => raw.hasEnded && raw.isClosed && served.isClosed);
      expect(served.error).to.equal(undefined);
      expect(audit()[0]).to.include({ status: 101, bytesIn: 12, bytesOut: 10, error: undefined });
    });

    it('goes on to the agent when the agent has said its last word', async () => {
      const { raw, served } = await switched();
      served.stream.write(Buffer.from('that was all'));
      served.stream.end();
      await until(() => raw.hasEnded);
      expect(raw.text).to.equal('that was all');
      raw.write('but I');
      await until(() => served.body === 'but I');
      raw.socket.end();
      await until(() => served.hasEnded && raw.isClosed);
      expect(served.error).to.equal(undefined);
      expect(audit()[0]).to.include({ status: 101, bytesIn: 5, bytesOut: 12, error: undefined });
    });

    it('cuts a client that stays though the agent has said its last word, unless it has something to say', async () => {
      const { raw, served } = await switched();
      served.stream.end();
      await until(() => raw.hasEnded);
      await fixture.pass(55_000);
      raw.write('wait');
      await until(() => served.body === 'wait');
      await fixture.pass(60_000);
      expect(fixture.counts.requests).to.equal(1);
      await fixture.pass(60_000);
      await until(() => served.isClosed && fixture.counts.requests === 0);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
      expect(audit()[0]).to.include({ status: 101, error: 'the client did not end its half' });
      raw.reset();
    });

    it('has no deadline', async () => {
      const { raw, served } = await switched();
      await fixture.pass(600_000);
      expect(fixture.counts.requests).to.equal(1);
      raw.write('still here');
      await until(() => served.body === 'still here');
      served.stream.end();
      raw.socket.end();
    });

    it('tells the agent when the client is gone', async () => {
      const { raw, served } = await switched();
      raw.reset();
      await until(() => served.isClosed);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
      expect(audit()[0]).to.include({ status: 101, error: 'cancelled' });
    });

    it('cuts the agent off when it has something to say to a client that is gone after its last word', async () => {
      const { raw, served } = await switched();
      raw.socket.end();
      await until(() => served.hasEnded);
      raw.reset();
      served.stream.write(Buffer.alloc(MEBIBYTE));
      await until(() => served.isClosed);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
    });

    for (const [what, end, code] of [
      ['resets the stream', (served: Served) => served.stream.reset(ErrorCode.UpstreamReset, 'gone'), 'upstream_reset'],
      ['is gone', (_served: Served, agent: ScriptedAgent) => agent.cut(), 'session_lost'],
    ] as const) {
      it(`cuts the connection when the agent ${what}: no clean end, and nothing is left`, async () => {
        const { agent, raw, served } = await switched();
        const before = fixture.counts.connections;
        end(served, agent);
        // A clean end would leave the client's half open.
        await until(() => fixture.counts.requests === 0 && fixture.counts.connections < before);
        await until(() => raw.hasEnded);
        expect(audit()[0]).to.include({ status: 101, code });
        raw.reset();
      });
    }

    it('is one line of audit, without the command', async () => {
      const { raw, served } = await switched();
      raw.write('12345');
      await until(() => served.receivedBytes === 5);
      served.stream.write(Buffer.from('123'));
      served.stream.end();
      raw.socket.end();
      await until(() => audit().length > 0);
      expect(audit()).to.have.length(1);
      expect(audit()[0]).to.include({ user: 'alice', tunnel: 'c1', verb: 'get', subresource: 'exec', name: 'p' });
      expect(audit()[0]).to.include({ isUpgrade: true, status: 101, bytesIn: 5, bytesOut: 3 });
      expect(JSON.stringify(lines)).to.not.contain('command');
    });
  });

  describe('before the head', () => {
    it('tells the agent when the client breaks off', async () => {
      const agent = await fixture.agent();
      const raw = await ask(asking());
      const served = await agent.request();
      raw.reset();
      await until(() => served.isClosed);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
    });

    it('takes a client that says its last word for gone', async () => {
      const agent = await fixture.agent();
      const raw = await ask(asking());
      const served = await agent.request();
      raw.socket.end();
      await until(() => served.isClosed && raw.isClosed);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
    });

    it('sends nothing for a client that went away while the hub was asked, or in the queue', async () => {
      const agent = await fixture.agent({ slots: { ordinary: 1, longRunning: 0 } });
      const { reviewToken } = fixture;
      let answer = () => {};
      fixture.reviewToken = (token, signal) =>
        new Promise((resolve) => {
          answer = () => resolve(reviewToken(token, signal));
        });
      const early = await ask(asking());
      await until(() => fixture.reviewed.tokens.length === 1);
      expect(fixture.counts.requests).to.equal(1);
      early.reset();
      await until(() => fixture.counts.requests === 0);
      answer();
      const queued = await ask(asking());
      await until(() => fixture.counts.waiting === 1);
      queued.reset();
      await until(() => fixture.isQuiet);
      agent.session.announce({ ordinary: 0, longRunning: 1 });
      await turns();
      expect(agent.served).to.have.length(0);
    });

    const FAULTS: readonly [string, (served: Served) => void, number, string, string | undefined][] = [
      [
        'policy denied it',
        ({ stream }) => stream.refuse(ErrorCode.PolicyDenied, 'no'),
        403,
        'policy_denied',
        undefined,
      ],
      ['it has no room', ({ stream }) => stream.refuse(ErrorCode.Overload, 'full'), 429, 'stream_limit', '1'],
      [
        'its API server is away',
        ({ stream }) => stream.refuse(ErrorCode.UpstreamUnreachable, 'refused'),
        503,
        'upstream_unreachable',
        '2',
      ],
      [
        'its API server broke the connection: a command may have run',
        ({ stream }) => stream.reset(ErrorCode.UpstreamReset, 'gone'),
        504,
        'upstream_reset',
        undefined,
      ],
    ];
    for (const [what, fail, status, cause, retryAfter] of FAULTS) {
      it(`answers ${status} ${cause} when the agent says that ${what}`, async () => {
        const agent = await fixture.agent();
        const text = told(asking());
        fail(await agent.request());
        const answer = statusIn(await text);
        expect(answer).to.include({ status, cause, retryAfter });
        expect(answer.told.details.name).to.equal('c1');
        expect(audit()[0]).to.include({ isUpgrade: true, status, code: cause });
      });
    }

    it('answers 504 session_lost when the agent is lost and does not come back: a command may have run', async () => {
      const agent = await fixture.agent();
      const text = told(asking());
      await agent.request();
      agent.cut();
      await until(() => fixture.counts.unsettled === 1);
      fixture.clock.advance(UNSETTLED_MS);
      expect(statusIn(await text)).to.include({ status: 504, cause: 'session_lost', retryAfter: undefined });
    });

    it('answers 503 for a tunnel that is away or suspended, after its grace', async () => {
      expect(statusIn(await told(asking()))).to.include({
        status: 503,
        cause: 'cluster_offline',
        retryAfter: undefined,
      });
      (await fixture.agent()).cut();
      await until(() => fixture.counts.sessions === 0);
      const waiting = told(asking());
      await until(() => fixture.counts.waiting === 1);
      fixture.clock.advance(10_000);
      expect(statusIn(await waiting)).to.include({ status: 503, cause: 'cluster_reconnecting', retryAfter: '5' });
      fixture.addTunnel('c1', { isSuspended: true });
      expect(statusIn(await told(asking())).told.message).to.contain('is suspended');
    });

    it('answers 401 and 403 as to any request, also in text where that is told', async () => {
      const agent = await serving((served) => served.answer(200));
      expect(statusIn(await told(asking({ token: 'nobody' })))).to.include({ status: 401, cause: 'unauthorized' });
      const forbidden = statusIn(await told(asking({ token: 'mallory' })));
      expect(forbidden).to.include({ status: 403, cause: 'forbidden' });
      expect(forbidden.told.message).to.contain('User "mallory" cannot create resource "clustertunnels/proxy"');
      expect(forbidden.told.details).to.not.have.property('name');
      const { status, headers } = answerIn(await told(asking({ token: 'mallory', path: '/clusters/c1/api' })));
      expect([status, headers.get('content-type')]).to.deep.equal([403, 'text/plain; charset=utf-8']);
      expect(agent.served).to.have.length(0);
    });

    it('answers 500 without details when the gateway fails itself', async () => {
      fixture.views.get = () => {
        throw new TypeError('a bug with a secret');
      };
      const text = await told(asking());
      expect(statusIn(text)).to.include({ status: 500, cause: 'internal' });
      expect(text).to.not.contain('secret');
      expect(lines.splice(0).some(({ fields }) => fields['code'] === 'internal')).to.equal(true);
    });

    it('answers 429 and goes when the gateway leaves', async () => {
      const { raw, served } = await switched();
      const late = await fixture.raw();
      late.write(asking().slice(0, -2));
      await turns();
      const drained = fixture.gateway.drain(new AbortController().signal);
      late.write('\r\n');
      expect(statusIn(await late.closed())).to.include({ status: 429, cause: 'draining', retryAfter: '5' });
      served.stream.end();
      raw.socket.end();
      await until(() => fixture.counts.requests === 0);
      fixture.clock.advance(100);
      await drained;
    });
  });

  describe('answers 400 to', () => {
    const MALFORMED: readonly [string, string][] = [
      ['another protocol', asking({ protocol: 'h2c' })],
      ['two protocols', asking({ protocol: 'websocket, h2c' })],
      ['two Upgrade headers', asking({ lines: 'Upgrade: SPDY/3.1\r\n' })],
      ['a protocol of another version', asking({ protocol: 'SPDY/3' })],
      ['HTTP/1.0', asking({ version: '1.0' })],
      ['another method', asking({ method: 'PUT' })],
      ['a body by length', `${asking({ method: 'POST', lines: 'Content-Length: 5\r\n' })}hello`],
      ['a body in chunks', `${asking({ method: 'POST', lines: 'Transfer-Encoding: chunked\r\n' })}0\r\n\r\n`],
      ['an identity that Connection names', asking({ lines: 'Connection: impersonate-user\r\n' })],
      ['two Host', asking({ lines: 'Host: h\r\n' })],
      ['a path of two meanings', asking({ path: '/clusters/c1/api/../x' })],
    ];
    for (const [what, bytes] of MALFORMED) {
      it(`${what}, and reads nothing after it`, async () => {
        const agent = await serving((served) => served.answer(200));
        const text = await told(
          `${bytes}GET /clusters/c1/api HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer alice\r\n\r\n`,
        );
        const end = text.indexOf('\n', text.indexOf('\r\n\r\n') + 4);
        expect(end).to.equal(text.length - 1);
        expect(statusIn(text)).to.include({ status: 400, cause: 'bad_request' });
        expect(agent.served).to.have.length(0);
        expect(fixture.reviewed.tokens).to.deep.equal([]);
      });
    }

    it('HEAD, without a body, and reads nothing after it', async () => {
      const agent = await serving((served) => served.answer(200));
      const next = 'GET /clusters/c1/api HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer alice\r\n\r\n';
      const text = await told(`${asking({ method: 'HEAD' })}${next}`);
      expect(text).to.match(/^HTTP\/1\.1 400 /);
      expect(text.indexOf('\r\n\r\n')).to.equal(text.length - 4);
      expect(agent.served).to.have.length(0);
    });
  });

  it('answers 404 outside /clusters/, and 403 to impersonation', async () => {
    expect(statusIn(await told(asking({ path: '/agent/v1/connecting' })))).to.include({ status: 404 });
    const lines = 'Impersonate-User: root\r\n';
    expect(statusIn(await told(asking({ lines })))).to.include({ status: 403, cause: 'forbidden' });
  });

  it('cuts a connection that wants to switch while an answer is under way on it', async () => {
    const agent = await serving((served) => served.stream.sendHead({ status: 200, headers: [] }));
    for (const path of [EXEC, '/agent/v1/connect']) {
      const raw = await fixture.raw();
      raw.write('GET /clusters/c1/api/v1/pods?watch=1 HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer alice\r\n\r\n');
      await raw.said('200 OK');
      raw.write(asking({ path }));
      expect((await raw.closed()).match(/HTTP\/1\.1 \d/g)).to.have.length(1);
    }
    await until(() => fixture.counts.requests === 0);
    expect(agent.served.map(({ head }) => head.isUpgrade)).to.deep.equal([false, false]);
  });

  it('switches a connection that had other answers before', async () => {
    const agent = await serving((served) => {
      if (served.head.isUpgrade) served.stream.sendHead({ status: 101, headers: SWITCH });
      else served.answer(200, ['Content-Length', '2'], 'ok');
    });
    const raw = await ask('GET /clusters/c1/api HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer alice\r\n\r\n');
    await raw.said('ok');
    raw.write(asking());
    await raw.said('101 Switching');
    raw.write('hello');
    const served = await agent.request(1);
    await until(() => served.body === 'hello');
    raw.reset();
  });

  describe('passes on an answer that is no 101', () => {
    it('with its length, and closes: what follows is not read', async () => {
      const agent = await serving((served) => {
        served.answer(403, ['Content-Type', 'application/json', 'X-Trace-ID', 'theirs', 'Content-Length', '4'], 'nope');
      });
      const text = await told(asking({ lines: 'X-Trace-ID: mine\r\n' }) + asking());
      const { status, headers, body } = answerIn(text);
      expect({ status, body }).to.deep.equal({ status: 403, body: 'nope' });
      const { traceparent, ...others } = Object.fromEntries(headers);
      expect(traceparent).to.match(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      expect(others).to.deep.equal({
        'Content-Type': 'application/json',
        'Content-Length': '4',
        Connection: 'close',
        'X-Trace-ID': 'mine',
        'x-content-type-options': 'nosniff',
      });
      expect(agent.served).to.have.length(1);
      const [line] = audit();
      expect(line).to.include({ status: 403, bytesOut: 4, error: undefined });
    });

    it('without a length in chunks, the last one only at its end', async () => {
      const agent = await fixture.agent();
      const raw = await fixture.raw();
      raw.write(asking());
      const served = await agent.request();
      served.stream.sendHead({ status: 200, headers: ['Content-Type', 'text/plain'] });
      await raw.said('\r\n\r\n');
      served.stream.write(Buffer.alloc(20, 'a'));
      served.stream.write(Buffer.from('bc'));
      await raw.said('bc\r\n');
      expect(raw.isClosed).to.equal(false);
      served.stream.end(['X-Sum', '1']);
      const { headers, body } = answerIn(await raw.closed());
      expect(headers.get('Transfer-Encoding')).to.equal('chunked');
      expect(body).to.equal(`14\r\n${'a'.repeat(20)}\r\n2\r\nbc\r\n0\r\n\r\n`);
      await until(() => served.isClosed);
      expect(served.error).to.equal(undefined);
    });

    it('and what the client says meanwhile is for nobody', async () => {
      const agent = await fixture.agent();
      const raw = await ask(`${asking()}early`);
      const served = await agent.request();
      served.stream.sendHead({ status: 400, headers: [] });
      await raw.said('400');
      raw.write('late');
      await turns();
      served.stream.write(Buffer.from('x'));
      served.stream.end();
      await raw.said('\r\n0\r\n\r\n');
      expect(served.receivedBytes).to.equal(0);
      expect(audit()[0]).to.include({ bytesIn: 0 });
      raw.reset();
    });

    for (const [what, headers, cut] of [
      ['in chunks', [], (served: Served) => served.stream.reset(ErrorCode.UpstreamReset, 'gone')],
      ['with a length', ['Content-Length', '9'], (served: Served) => served.stream.end()],
      ['with a length, too long', ['Content-Length', '5'], (served: Served) => served.stream.write(Buffer.from('xx'))],
    ] as const) {
      it(`${what}, and a cut one looks cut`, async () => {
        const agent = await fixture.agent();
        const raw = await fixture.raw();
        raw.write(asking());
        const served = await agent.request();
        served.stream.sendHead({ status: 200, headers });
        served.stream.write(Buffer.from('half'));
        await raw.said('half');
        cut(served);
        const text = await raw.closed();
        expect(text).to.match(headers.length === 0 ? /\r\n4\r\nhalf\r\n$/ : /\r\n\r\nhalf$/);
        expect(audit()[0]).to.include({ status: 200, hop: 'upstream' });
      });
    }

    it('slowly to a slow client', async () => {
      const agent = await fixture.agent();
      const raw = await fixture.raw();
      raw.write(asking());
      const served = await agent.request();
      served.stream.sendHead({ status: 200, headers: [] });
      await raw.said('\r\n\r\n');
      raw.socket.removeAllListeners('data');
      raw.socket.pause();
      let poured = 0;
      const pouring = served.pour(40 * MEBIBYTE, (bytes) => {
        poured = bytes;
      });
      let before = -1;
      while (poured !== before) {
        before = poured;
        await turns(100);
      }
      expect(poured).to.be.below(24 * MEBIBYTE);
      let received = 0;
      raw.socket.on('data', (chunk) => {
        received += chunk.length;
      });
      raw.socket.resume();
      await pouring;
      served.stream.end();
      await until(() => raw.isClosed);
      expect(received).to.be.above(40 * MEBIBYTE);
    });

    for (const status of [204, 304]) {
      it(`without a body when it is ${status}`, async () => {
        await serving((served) => served.answer(status, ['X-A', 'b'], 'evil'));
        const answer = answerIn(await told(asking()));
        expect(answer).to.include({ status, body: '' });
        expect([...answer.headers.keys()]).to.not.include('Transfer-Encoding');
      });
    }

    it('after 1xx heads, which are not passed on', async () => {
      await serving((served) => {
        for (const status of [100, 102, 103]) served.stream.sendHead({ status, headers: [] });
        served.answer(404, ['Content-Length', '0']);
      });
      expect(answerIn(await told(asking())).status).to.equal(404);
    });
  });

  describe('answers 502 to', () => {
    const HOSTILE: readonly [string, (served: Served) => void][] = [
      ['a 101 without a protocol', ({ stream }) => stream.sendHead({ status: 101, headers: ['X-A', 'b'] })],
      ['a 101 to another one', ({ stream }) => stream.sendHead({ status: 101, headers: ['Upgrade', 'SPDY/3.1'] })],
      [
        'a 101 to two',
        ({ stream }) => stream.sendHead({ status: 101, headers: ['Upgrade', 'websocket', 'Upgrade', 'websocket'] }),
      ],
      [
        'a 101 with control bytes in its head',
        ({ stream }) => stream.sendHead({ status: 101, headers: [...SWITCH, 'X-A', 'b\r\nSet-Cookie: c'] }),
      ],
      ['bytes before a head', ({ stream }) => void stream.write(Buffer.from('x'))],
      ['an end before a head', ({ stream }) => stream.end()],
      [
        'two lengths',
        ({ stream }) => stream.sendHead({ status: 200, headers: ['Content-Length', '1', 'Content-Length', '2'] }),
      ],
    ];
    for (const [what, serve] of HOSTILE) {
      it(what, async () => {
        const agent = await serving(serve);
        expect(statusIn(await told(asking()))).to.include({ status: 502, cause: 'upstream_protocol' });
        await until(() => agent.served[0]?.isClosed === true);
        expect(agent.end).to.equal(undefined);
      });
    }
  });

  it('cuts the connection at a second head: nothing may be mixed into the bytes', async () => {
    const { agent, raw, served } = await switched();
    served.stream.sendHead({ status: 200, headers: [] });
    await until(() => fixture.counts.requests === 0);
    await until(() => raw.hasEnded);
    expect(raw.text).to.equal('');
    expect(agent.end).to.equal(undefined);
    raw.reset();
  });

  it('lets a draining gateway wait, and is cut when its time is over', async () => {
    const { agent, raw } = await switched();
    const signal = new AbortController();
    const drained = fixture.gateway.drain(signal.signal);
    await until(() => agent.goaway !== undefined);
    await fixture.pass(5_000);
    expect(fixture.counts.requests).to.equal(1);
    signal.abort();
    let isDrained = false;
    void drained.then(() => {
      isDrained = true;
    });
    while (!isDrained) {
      fixture.clock.advance(100);
      await turns(5);
    }
    await until(() => raw.hasEnded);
    expect(fixture.counts).to.include({ connections: 0, requests: 0, sessions: 0, budgetBytes: 0 });
    raw.reset();
  });

  it('leaves nothing behind of 50 that end in 50 ways', async () => {
    const agent = await serving((served) => served.stream.sendHead({ status: 101, headers: SWITCH }));
    const raws = await Promise.all(Array.from({ length: 50 }, () => ask(asking())));
    await Promise.all(raws.map((raw) => raw.said('\r\n\r\n')));
    expect(fixture.counts).to.include({ requests: 50, streams: 50 });
    const ends: ((raw: RawConnection, served: Served) => void)[] = [
      (raw) => raw.reset(),
      (_, { stream }) => stream.reset(ErrorCode.UpstreamReset),
      (raw) => raw.socket.end(),
      (_, { stream }) => stream.end(),
      () => {},
    ];
    for (const [at, raw] of raws.entries()) {
      const served = agent.served[at] as Served;
      raw.write('x'.repeat(at));
      served.stream.write(Buffer.alloc(at * 100));
      ends[at % ends.length]?.(raw, served);
    }
    await turns();
    agent.cut();
    await until(() => fixture.isQuiet);
    for (const raw of raws) raw.reset();
    await until(() => fixture.counts.connections === 0 && fixture.clock.pending === 0);
  });
});
