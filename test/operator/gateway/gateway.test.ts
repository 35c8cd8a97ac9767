import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { UNSETTLED_MS } from '../../../operator/gateway/sessions/unsettled.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import {
  type Answer,
  bodyOf,
  bytesOf,
  GatewayFixture,
  PROTOCOLS,
  SETTINGS,
  type Served,
  whole,
} from '../../support/gateway-fixture.ts';
import { turns, until } from '../../support/turns.ts';

const MEBIBYTE = 1024 * 1024;
/** Joined tests: a machine that is busy elsewhere must not fail them. */
const BUSY_MACHINE_MS = 15_000;
const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const WATCH = `${PODS}?watch=true`;

/** The Status in an answer, its code checked against the HTTP status. */
function statusOf({ status, headers }: Pick<Answer, 'status' | 'headers'>, text: string) {
  const body = JSON.parse(text);
  expect(headers['content-type']).to.equal('application/json');
  expect(body).to.include({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status });
  expect(headers['x-trace-id']).to.match(/^[\w.-]{1,64}$/);
  expect(body.message).to.contain(headers['x-trace-id']);
  return { ...body, cause: body.details.causes[0].reason, retryAfter: headers['retry-after'] };
}

for (const protocol of PROTOCOLS) {
  describe(`operator/gateway over ${protocol}`, function () {
    this.timeout(BUSY_MACHINE_MS);
    let fixture: GatewayFixture;
    beforeEach(async () => {
      fixture = await GatewayFixture.start();
    });
    afterEach(async () => {
      try {
        await until(() => fixture.isQuiet || fixture.counts.requests > 0);
        if (fixture.counts.requests === 0) expect(fixture.isQuiet).to.equal(true);
      } finally {
        await fixture.stop();
      }
    });

    const ask = (path: string, rest: object = {}) => whole(fixture.client(protocol), { path, ...rest });
    const serving = (serve: (served: Served) => void) => fixture.agent({ serve });

    it('carries a GET there and its answer back, header bytes as they came', async () => {
      const agent = await serving((served) => served.answer(200, ['X-Odd', 'caf\xe9', 'X-Odd', 'b'], 'hello'));
      const answer = await ask(`${PODS}?limit=5&labelSelector=a%2Fb%3Dc`, { headers: { 'X-Mine': 'caf\xe9' } });
      expect(answer.text).to.equal('hello');
      expect(answer.status).to.equal(200);
      expect(answer.headers['x-odd']).to.equal('caf\xe9, b');
      expect(answer.headers['x-trace-id']).to.match(/^[0-9a-f]{32}$/);
      const { head } = await agent.request();
      expect(head).to.include({
        method: 'GET',
        path: '/api/v1/namespaces/default/pods?limit=5&labelSelector=a%2Fb%3Dc',
        isLongRunning: false,
        deadlineMs: 120_000,
      });
      expect(head.identity).to.deep.equal({ user: 'alice', uid: 'u-1', groups: ['dev', 'system:authenticated'] });
      const names = head.headers.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
      expect(names).to.not.include('authorization');
      expect(head.headers[names.indexOf('x-mine') * 2 + 1]).to.equal('caf\xe9');
      expect(fixture.reviewed.access).to.deep.equal([{ user: 'alice', name: 'c1', verb: 'list' }]);
    });

    it('carries a body larger than every window, byte for byte', async () => {
      const agent = await serving(() => {});
      const body = Buffer.alloc(12 * MEBIBYTE, 'abcdefgh');
      const answer = ask(PODS, { method: 'POST', body });
      const served = await agent.request();
      await until(() => served.hasEnded);
      const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
      expect(digest(Buffer.concat(served.chunks))).to.equal(digest(body));
      served.answer(201);
      expect((await answer).status).to.equal(201);
    });

    it('holds the client back while the agent takes nothing', async () => {
      const agent = await serving((served) => {
        served.takesBody = false;
      });
      const call = fixture.client(protocol).call({ path: PODS, method: 'POST', body: 'open' });
      let written = 0;
      const chunk = Buffer.alloc(64 * 1024);
      const fill = () => {
        while (written < 64 * MEBIBYTE) {
          written += chunk.length;
          if (!call.upload.write(chunk)) return;
        }
      };
      call.upload.on('drain', fill);
      fill();
      const served = await agent.request();
      await until(() => served.receivedBytes > 0 && fixture.counts.queuedBytes > 0);
      await turns(200);
      expect(fixture.counts.queuedBytes).to.be.below(MEBIBYTE);
      expect(written).to.be.below(32 * MEBIBYTE);
      call.cancel();
      // Node hears nothing of a connection whose body is paused: over HTTP/1.1 only the deadline tells.
      if (protocol === 'http/1.1') await fixture.pass(130_000);
      await until(() => served.isClosed);
    });

    it('delivers 50 MB to a slow reader without holding them', async () => {
      const agent = await fixture.agent();
      const answer = fixture.client(protocol).call({ path: PODS }).answer;
      const served = await agent.request();
      served.stream.sendHead({ status: 200, headers: [] });
      let poured = 0;
      const pouring = served.pour(50_000_000, (bytes) => {
        poured = bytes;
      });
      const { body } = await answer;
      await once(body, 'readable');
      let before = -1;
      while (poured !== before) {
        before = poured;
        await turns(100);
      }
      expect(poured).to.be.below(16 * MEBIBYTE);
      expect(fixture.counts.bufferedBytes).to.be.at.most(4 * MEBIBYTE);
      let most = 0;
      let total = 0;
      for await (const chunk of body) {
        total += chunk.length;
        most = Math.max(most, fixture.counts.bufferedBytes);
        if (total % 7 === 0) await turns(1);
        if (poured === 50_000_000) served.stream.end();
      }
      await pouring;
      expect(total).to.equal(50_000_000);
      expect(most).to.be.at.most(4 * MEBIBYTE);
      await until(() => fixture.isQuiet);
    });

    it('tells the agent when the client goes away in the middle', async () => {
      const agent = await fixture.agent();
      const call = fixture.client(protocol).call({ path: PODS });
      const served = await agent.request();
      served.stream.sendHead({ status: 200, headers: [] });
      void served.pour(8 * MEBIBYTE);
      const { body } = await call.answer;
      body.on('error', () => {});
      await once(body, 'readable');
      call.cancel();
      await until(() => served.isClosed);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
      await until(() => fixture.isQuiet);
    });

    it('tells the agent when the client goes away before the head', async () => {
      const agent = await fixture.agent();
      const call = fixture.client(protocol).call({ path: PODS });
      const served = await agent.request();
      call.cancel();
      await until(() => served.isClosed);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
    });

    it('never ends a body that the client cut', async () => {
      const agent = await fixture.agent();
      const client = fixture.client(protocol);
      client.call({ path: PODS, method: 'POST', body: 'open' }).upload.write('half of');
      const served = await agent.request();
      await until(() => served.receivedBytes === 7);
      client.close();
      await until(() => served.isClosed);
      expect(served.hasEnded).to.equal(false);
      expect(served.error?.code).to.equal(ErrorCode.Cancel);
    });

    it('flushes the head of a watch before any event', async () => {
      const agent = await serving((served) => served.stream.sendHead({ status: 200, headers: ['X-A', 'b'] }));
      const call = fixture.client(protocol).call({ path: WATCH });
      const { status, body } = await call.answer;
      expect(status).to.equal(200);
      const served = await agent.request();
      expect(served.head).to.include({ isLongRunning: true, deadlineMs: 0 });
      served.stream.write(Buffer.from('{"type":"ADDED"}\n'));
      const [event] = await once(body, 'data');
      expect(String(event)).to.equal('{"type":"ADDED"}\n');
      served.stream.end();
      await until(() => fixture.isQuiet);
    });

    it('ends a watch cleanly when its session is lost, within a second', async () => {
      const agent = await serving((served) => {
        served.stream.sendHead({ status: 200, headers: [] });
        served.stream.write(Buffer.from('event\n'));
      });
      const client = fixture.client(protocol);
      const answer = await client.call({ path: WATCH }).answer;
      const text = bodyOf(answer);
      await once(answer.body, 'data');
      agent.cut();
      await until(() => fixture.counts.sessions === 0);
      expect(fixture.counts.requests).to.equal(1);
      fixture.clock.advance(1_000);
      await text;
      await until(() => fixture.isQuiet);
      client.close();
      await until(() => fixture.clock.pending === 0);
    });

    it('ends a watch without an event no sooner than 1.1 s after its head: client-go would list again', async () => {
      const agent = await serving((served) => served.stream.sendHead({ status: 200, headers: [] }));
      const answer = await fixture.client(protocol).call({ path: WATCH }).answer;
      const text = bodyOf(answer);
      fixture.clock.advance(600);
      agent.cut();
      await until(() => fixture.counts.sessions === 0);
      fixture.clock.advance(499);
      await turns(20);
      expect(fixture.counts.requests).to.equal(1);
      fixture.clock.advance(1_001);
      expect(await text).to.equal('');
      await until(() => fixture.isQuiet);
    });

    for (const [what, code] of [
      ['whose API server broke the connection', ErrorCode.UpstreamReset],
      ['whose client reads too slowly', ErrorCode.Backpressure],
      ['whose agent is leaving', ErrorCode.Draining],
    ] as const) {
      it(`ends a watch cleanly ${what}`, async () => {
        const agent = await serving((served) => {
          served.stream.sendHead({ status: 200, headers: [] });
          served.stream.write(Buffer.from('event\n'));
        });
        const answer = await fixture.client(protocol).call({ path: WATCH }).answer;
        const text = bodyOf(answer);
        await once(answer.body, 'data');
        (await agent.request()).stream.reset(code);
        await until(() => fixture.counts.streams === 0);
        fixture.clock.advance(1_000);
        await text;
        await until(() => fixture.isQuiet);
      });
    }

    it('cuts a watch whose target broke HTTP', async () => {
      const agent = await serving((served) => {
        served.stream.sendHead({ status: 200, headers: [] });
        served.stream.write(Buffer.from('event\n'));
      });
      const answer = await fixture.client(protocol).call({ path: WATCH }).answer;
      const text = bodyOf(answer).then(
        () => 'ended',
        () => 'cut',
      );
      await once(answer.body, 'data');
      (await agent.request()).stream.reset(ErrorCode.UpstreamProtocol);
      expect(await text).to.equal('cut');
    });

    it('leaves no timer behind when the client goes before its watch has ended', async () => {
      const agent = await serving((served) => served.stream.sendHead({ status: 200, headers: [] }));
      const client = fixture.client(protocol);
      const { body } = await client.call({ path: WATCH }).answer;
      body.on('error', () => {});
      agent.cut();
      await until(() => fixture.counts.sessions === 0);
      expect(fixture.counts.requests).to.equal(1);
      client.close();
      await until(() => fixture.isQuiet);
      await until(() => fixture.clock.pending === 0);
    });

    for (const [what, status, headers] of [
      ['that says how long it is', 200, ['Content-Length', '100']],
      ['that is an error', 403, []],
    ] as const) {
      it(`cuts the answer to a watch ${what} when its session is lost: half of it is no clean end`, async () => {
        const agent = await serving((served) => {
          served.stream.sendHead({ status, headers });
          served.stream.write(Buffer.from('half'));
        });
        const answer = await fixture.client(protocol).call({ path: WATCH }).answer;
        const text = bodyOf(answer).then(
          () => 'ended',
          () => 'cut',
        );
        await once(answer.body, 'data');
        agent.cut();
        await until(() => fixture.counts.sessions === 0);
        fixture.clock.advance(1_000);
        expect(await text).to.equal('cut');
      });
    }

    it('cuts a list whose session is lost: the client sees an error', async () => {
      const agent = await serving((served) => {
        served.stream.sendHead({ status: 200, headers: [] });
        served.stream.write(Buffer.from('{"items":['));
      });
      const answer = await fixture.client(protocol).call({ path: PODS }).answer;
      const text = bodyOf(answer).then(
        () => 'ended',
        () => 'cut',
      );
      await once(answer.body, 'data');
      agent.cut();
      expect(await text).to.equal('cut');
      await until(() => fixture.isQuiet);
    });

    it('answers a read with 503 and Retry-After when the session is lost before the head, and no other comes', async () => {
      const agent = await fixture.agent();
      const answer = ask(PODS);
      await agent.request();
      agent.cut();
      await until(() => fixture.counts.waiting === 1);
      fixture.clock.advance(SETTINGS.timeouts.disconnectGraceMs);
      const { text, ...head } = await answer;
      expect(head.status).to.equal(503);
      expect(statusOf(head, text)).to.include({ cause: 'session_lost', retryAfter: '1', reason: 'ServiceUnavailable' });
    });

    it('answers a write with 504 and no Retry-After when the session is lost before the head', async () => {
      const agent = await fixture.agent();
      const answer = ask(PODS, { method: 'POST', body: '{}' });
      const served = await agent.request();
      await until(() => served.hasEnded);
      agent.cut();
      await until(() => fixture.counts.unsettled === 1);
      fixture.clock.advance(UNSETTLED_MS);
      const { text, ...head } = await answer;
      expect(head.status).to.equal(504);
      const status = statusOf(head, text);
      expect(status).to.include({ cause: 'session_lost', retryAfter: undefined, reason: 'Timeout' });
      expect(status.message).to.contain('may have been executed');
    });

    it('keeps the deadlines of all requests of a session behind its one timer', async () => {
      const agent = await fixture.agent();
      const client = fixture.client('h2');
      const calls = [client.call({ path: PODS })];
      await agent.request();
      const { pending } = fixture.clock;
      for (let at = 1; at < 20; at++) calls.push(client.call({ path: PODS, method: 'POST' }));
      await agent.request(19);
      expect(fixture.clock.pending).to.equal(pending);
      for (const call of calls) call.cancel();
      await until(() => fixture.isQuiet);
    });

    const REFUSALS = [
      { code: ErrorCode.Overload, status: 429, cause: 'stream_limit', retryAfter: '1' },
      { code: ErrorCode.Draining, status: 503, cause: 'not_executed', retryAfter: '1' },
      { code: ErrorCode.UpstreamUnreachable, status: 503, cause: 'upstream_unreachable', retryAfter: '2' },
      { code: ErrorCode.PolicyDenied, status: 403, cause: 'policy_denied', retryAfter: undefined },
    ];
    for (const { code, status, cause, retryAfter } of REFUSALS) {
      it(`answers ${status} ${cause} when the agent refuses with code ${code}`, async () => {
        await serving((served) => served.stream.refuse(code, 'so it is'));
        const { text, ...head } = await ask(PODS, { method: 'POST', body: 'x' });
        expect(head.status).to.equal(status);
        expect(statusOf(head, text)).to.include({ cause, retryAfter });
      });
    }

    it('sends a request without a body again that an agent refused as it left', async () => {
      const refused: string[] = [];
      await serving((served) => {
        if (refused.push(served.head.traceId) === 1) served.stream.refuse(ErrorCode.Draining, 'the agent stops');
        else served.answer(200, [], 'second');
      });
      const answer = await ask(PODS);
      expect([answer.status, answer.text, refused.length]).to.deep.equal([200, 'second', 2]);
      expect(new Set(refused).size, 'one trace id').to.equal(1);
    });

    it('gives up after three refusals, and leaves nothing behind', async () => {
      let attempts = 0;
      await serving((served) => {
        attempts += 1;
        served.stream.refuse(ErrorCode.Draining, 'so it is');
      });
      const { text, ...head } = await ask(PODS);
      expect([head.status, attempts]).to.deep.equal([503, 3]);
      expect(statusOf(head, text)).to.include({ cause: 'not_executed', retryAfter: '1' });
      await until(() => fixture.isQuiet);
    });

    it('lets requests wait for slots, and serves them in order', async () => {
      const agent = await fixture.agent({ slots: { ordinary: 1, longRunning: 0 } });
      const client = fixture.client(protocol);
      const answers = [];
      for (const name of ['a', 'b', 'c']) {
        answers.push(client.call({ path: `${PODS}/${name}` }).answer);
        await until(() => fixture.counts.waiting + agent.served.length === answers.length);
      }
      for (const [at, name] of ['a', 'b', 'c'].entries()) {
        const served = await agent.request(at);
        expect(served.head.path).to.match(new RegExp(`/${name}$`));
        served.answer(200, [], name);
        expect(await bodyOf(await (answers[at] as Promise<Answer>))).to.equal(name);
      }
    });

    it('never sends a request whose client left the queue', async () => {
      const agent = await fixture.agent({ slots: { ordinary: 1, longRunning: 0 } });
      const first = fixture.client(protocol).call({ path: PODS });
      const served = await agent.request();
      const second = fixture.client(protocol).call({ path: `${PODS}/gone` });
      await until(() => fixture.counts.waiting === 1);
      second.cancel();
      await until(() => fixture.counts.waiting === 0);
      served.answer(200);
      expect((await first.answer).status).to.equal(200);
      await until(() => fixture.isQuiet);
      await turns();
      expect(agent.served).to.have.length(1);
    });

    it('answers 429 when no slot came free before the deadline', async () => {
      const agent = await fixture.agent({ slots: { ordinary: 0, longRunning: 0 } });
      const answer = ask(PODS, { method: 'POST', body: 'x'.repeat(100) });
      await until(() => fixture.counts.waiting === 1);
      await fixture.pass(120_000);
      const { text, ...head } = await answer;
      expect(head.status).to.equal(429);
      expect(statusOf(head, text)).to.include({ cause: 'queue_timeout', retryAfter: '1' });
      expect(agent.served).to.have.length(0);
    });

    it('answers 429 to a watch for which no slot came free: nobody waits for ever', async () => {
      await fixture.agent({ slots: { ordinary: 1, longRunning: 0 } });
      const answer = ask(WATCH);
      await until(() => fixture.counts.waiting === 1);
      await fixture.pass(119_000);
      expect(fixture.counts.waiting).to.equal(1);
      await fixture.pass(1_000);
      const { text, ...head } = await answer;
      expect(statusOf(head, text)).to.include({ code: 429, cause: 'queue_timeout', retryAfter: '1' });
    });

    it('counts the time in the queue, too, when the agent never answers', async () => {
      const agent = await fixture.agent({ slots: { ordinary: 0, longRunning: 0 } });
      const answer = ask(PODS);
      await until(() => fixture.counts.waiting === 1);
      await fixture.pass(100_000);
      agent.session.announce({ ordinary: 1, longRunning: 0 });
      const served = await agent.request();
      expect(served.head.deadlineMs).to.be.at.most(20_000);
      await fixture.pass(30_000);
      await until(() => served.isClosed);
      const { text, ...head } = await answer;
      expect(statusOf(head, text)).to.include({ code: 504, cause: 'request_timeout' });
    });

    it('never sends again what its client gave up meanwhile', async () => {
      const agent = await fixture.agent({ slots: { ordinary: 1, longRunning: 0 }, keepsSlots: true });
      const call = fixture.client(protocol).call({ path: PODS });
      const served = await agent.request();
      served.stream.refuse(ErrorCode.Draining, 'the agent stops');
      await until(() => fixture.counts.waiting === 1);
      call.cancel();
      await until(() => fixture.isQuiet);
      agent.session.announce({ ordinary: 1, longRunning: 0 });
      await turns();
      expect(agent.served).to.have.length(1);
    });

    it('answers 504 when the deadline passes at the agent', async () => {
      const agent = await fixture.agent();
      const answer = ask(PODS);
      const served = await agent.request();
      await fixture.pass(130_000);
      const { text, ...head } = await answer;
      expect(head.status).to.equal(504);
      expect(statusOf(head, text)).to.include({ cause: 'request_timeout', retryAfter: undefined });
      await until(() => served.isClosed);
      expect(served.error?.code).to.equal(ErrorCode.Deadline);
    });

    it('answers at once for a tunnel that never connected', async () => {
      const { text, ...head } = await ask(PODS);
      expect(head.status).to.equal(503);
      expect(statusOf(head, text)).to.include({ cause: 'cluster_offline', retryAfter: undefined });
    });

    it('holds a request for the grace of a lost tunnel, then says that it reconnects', async () => {
      (await fixture.agent()).cut();
      await until(() => fixture.counts.sessions === 0);
      const answer = ask(PODS);
      await until(() => fixture.counts.waiting === 1);
      fixture.clock.advance(10_000);
      const { text, ...head } = await answer;
      expect(head.status).to.equal(503);
      expect(statusOf(head, text)).to.include({ cause: 'cluster_reconnecting', retryAfter: '5' });
    });

    it('sends what waited once the agent is back', async () => {
      (await fixture.agent()).cut();
      await until(() => fixture.counts.sessions === 0);
      const answer = ask(PODS, { method: 'POST', body: 'kept' });
      await until(() => fixture.counts.waiting === 1);
      const agent = await serving(() => {});
      const served = await agent.request();
      await until(() => served.hasEnded);
      expect(served.body).to.equal('kept');
      served.answer(201);
      expect((await answer).status).to.equal(201);
    });

    it('says offline after a minute away', async () => {
      (await fixture.agent()).cut();
      await until(() => fixture.counts.sessions === 0);
      fixture.clock.advance(60_000);
      const { text, ...head } = await ask(PODS);
      expect(statusOf(head, text)).to.include({ code: 503, cause: 'cluster_offline', retryAfter: undefined });
    });

    it('holds the start of a watch for 25 s, then answers 429', async () => {
      (await fixture.agent()).cut();
      await until(() => fixture.counts.sessions === 0);
      const answer = ask(WATCH);
      await until(() => fixture.counts.waiting === 1);
      fixture.clock.advance(24_999);
      await turns();
      expect(fixture.counts.waiting).to.equal(1);
      fixture.clock.advance(1);
      const { text, ...head } = await answer;
      expect(statusOf(head, text)).to.include({ code: 429, cause: 'cluster_reconnecting', retryAfter: '5' });
    });

    it('carries trailers to a client without hop-by-hop fields', async () => {
      const agent = await serving((served) => {
        served.stream.sendHead({ status: 200, headers: ['Trailer', 'Grpc-Status'] });
        served.stream.write(Buffer.from('x'));
        served.stream.end(['Grpc-Status', '0', 'Connection', 'x']);
      });
      const answer = await ask(PODS, { headers: { te: 'trailers' } });
      expect(answer.trailers()).to.deep.include({ 'grpc-status': '0' });
      expect(answer.trailers()).to.not.have.property('connection');
      expect((await agent.request()).head.headers.join().toLowerCase()).to.not.contain('trailers');
    });

    it('carries trailers of a client without hop-by-hop fields and without what tells who it is', async () => {
      const agent = await serving(() => {});
      const trailers = { 'x-sum': '1', 'impersonate-user': 'root' };
      const answer = ask(PODS, { method: 'POST', body: 'x', trailers });
      const served = await agent.request();
      await until(() => served.hasEnded);
      expect(served.trailers.map((text) => text.toLowerCase())).to.deep.equal(['x-sum', '1']);
      served.answer(200);
      expect((await answer).status).to.equal(200);
    });

    it('leaves what is compressed as it is, both ways', async () => {
      const agent = await fixture.agent();
      const packed = gzipSync(Buffer.alloc(100_000, 'pods'));
      const call = fixture.client(protocol).call({
        path: PODS,
        method: 'POST',
        body: packed,
        headers: { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' },
      });
      const served = await agent.request();
      await until(() => served.hasEnded);
      expect(Buffer.concat(served.chunks).equals(packed)).to.equal(true);
      const sent = served.head.headers.map((text) => text.toLowerCase());
      expect(sent[sent.indexOf('content-encoding') + 1]).to.equal('gzip');
      expect(sent[sent.indexOf('accept-encoding') + 1]).to.equal('gzip');
      const length = String(packed.length);
      served.stream.sendHead({
        status: 200,
        headers: ['Content-Encoding', 'gzip', 'Vary', 'Accept-Encoding', 'Content-Length', length],
      });
      served.stream.write(packed);
      served.stream.end();
      const answer = await call.answer;
      expect(answer.headers).to.include({
        'content-encoding': 'gzip',
        'content-length': length,
        vary: 'Accept-Encoding',
      });
      expect((await bytesOf(answer)).equals(packed)).to.equal(true);
    });

    it('leaves protobuf as it is, both ways', async () => {
      const agent = await fixture.agent();
      const bytes = Buffer.concat([Buffer.from('k8s\0'), Buffer.from(Array.from({ length: 256 }, (_, at) => at))]);
      const type = 'application/vnd.kubernetes.protobuf;stream=watch';
      const accept = `${type}, application/json`;
      const headers = { 'content-type': type, accept };
      const call = fixture.client(protocol).call({ path: PODS, method: 'POST', body: bytes, headers });
      const served = await agent.request();
      await until(() => served.hasEnded);
      expect(Buffer.concat(served.chunks).equals(bytes)).to.equal(true);
      const names = served.head.headers.map((text) => text.toLowerCase());
      expect(served.head.headers[names.indexOf('content-type') + 1]).to.equal(type);
      expect(served.head.headers[names.indexOf('accept') + 1]).to.equal(accept);
      served.stream.sendHead({ status: 201, headers: ['Content-Type', type] });
      served.stream.write(bytes);
      served.stream.end();
      const answer = await call.answer;
      expect(answer.headers['content-type']).to.equal(type);
      expect((await bytesOf(answer)).equals(bytes)).to.equal(true);
    });

    it('answers HEAD, 204 and 304 without a body, and goes on with the next request', async () => {
      const agent = await serving((served) => {
        const status = Number(served.head.path.slice(-3));
        served.answer(status, ['X-A', 'b'], served.head.method === 'HEAD' ? '' : '');
      });
      const client = fixture.client(protocol);
      for (const [method, status] of [
        ['HEAD', 200],
        ['GET', 204],
        ['GET', 304],
        ['GET', 200],
      ] as const) {
        const answer = await whole(client, { method, path: `/clusters/c1/x/${status}` });
        expect([answer.status, answer.text, answer.headers['x-a']]).to.deep.equal([status, '', 'b']);
      }
      expect(agent.served).to.have.length(4);
    });

    it('ignores body bytes of answers that have none', async () => {
      await serving((served) => served.answer(Number(served.head.path.slice(-3)), ['Content-Length', '4'], 'evil'));
      const client = fixture.client(protocol);
      for (const [method, status] of [
        ['HEAD', 200],
        ['GET', 304],
        ['GET', 204],
      ] as const) {
        const answer = await whole(client, { method, path: `/clusters/c1/x/${status}` });
        expect([answer.status, answer.text]).to.deep.equal([status, '']);
      }
      const answer = await whole(client, { path: '/clusters/c1/x/200' });
      expect(answer.text).to.equal('evil');
      await until(() => fixture.isQuiet);
    });

    it('asks a client for the body that it holds back when a worker is free, not before', async () => {
      const agent = await fixture.agent({ slots: { ordinary: 0, longRunning: 0 } });
      const headers = { expect: '100-continue' };
      const call = fixture.client(protocol).call({ path: PODS, method: 'POST', body: 'open', headers });
      await until(() => fixture.counts.waiting === 1);
      await turns();
      expect(call.wasContinued()).to.equal(false);
      agent.session.announce({ ordinary: 1, longRunning: 0 });
      await until(() => call.wasContinued());
      call.upload.end('later');
      const served = await agent.request();
      await until(() => served.hasEnded);
      expect(served.body).to.equal('later');
      served.answer(200);
      expect((await call.answer).status).to.equal(200);
    });

    it('does not ask for the body of a request that it refuses', async () => {
      const refused: [string, string, number][] = [
        ['', PODS, 401],
        ['mallory', PODS, 403],
        ['alice', '/clusters/nowhere/api/v1/pods', 404],
        ['alice', PODS, 503],
      ];
      for (const [token, path, status] of refused) {
        const headers = { expect: '100-continue', 'content-length': '5' };
        const client = fixture.client(protocol);
        const call = client.call({ path, token, method: 'POST', body: 'open', headers });
        const answer = await call.answer;
        expect([answer.status, call.wasContinued()]).to.deep.equal([status, false]);
        if (protocol === 'http/1.1') expect(answer.headers['connection']).to.equal('close');
        statusOf(answer, await bodyOf(answer));
        client.close();
      }
    });

    it('asks for no body where none follows', async () => {
      await serving((served) => served.answer(200));
      const call = fixture.client(protocol).call({ path: PODS, headers: { expect: '100-continue' } });
      expect((await call.answer).status).to.equal(200);
      expect(call.wasContinued()).to.equal(false);
    });

    it('ignores an expectation that it does not know', async () => {
      await serving((served) => served.answer(200));
      expect((await ask(PODS, { headers: { expect: 'a-miracle' } })).status).to.equal(200);
    });

    it('passes over 1xx heads of the agent', async () => {
      await serving((served) => {
        for (const status of [100, 101, 102, 103]) served.stream.sendHead({ status, headers: ['Link', 'x'] });
        served.answer(200, [], 'final');
      });
      expect((await ask(PODS)).text).to.equal('final');
    });

    const HOSTILE: [string, (served: Served) => void][] = [
      ['header values with control bytes', (served) => served.answer(200, ['X-A', 'b\r\nSet-Cookie: c'])],
      ['two Content-Length', (served) => served.answer(200, ['Content-Length', '1', 'Content-Length', '2'], 'x')],
      ['a Content-Length that is no number', (served) => served.answer(200, ['Content-Length', '+1'], 'x')],
      ['body bytes before a head', (served) => void served.stream.write(Buffer.from('x'))],
      ['an end before a head', (served) => served.stream.end()],
      ['trailers before a head', (served) => served.stream.end(['A', 'b'])],
    ];
    for (const [what, serve] of HOSTILE) {
      it(`answers 502 when the agent sends ${what}`, async () => {
        const agent = await serving(serve);
        const { text, ...head } = await ask(PODS);
        expect(head.status).to.equal(502);
        expect(statusOf(head, text)).to.include({ cause: 'upstream_protocol', retryAfter: undefined });
        expect(agent.end).to.equal(undefined);
      });
    }

    const SURVIVED: [string, string[]][] = [
      ['names that objects have', ['constructor', 'a', 'Constructor', 'b']],
      [
        'repeated fields that HTTP/2 wants once',
        ['ETag', 'a', 'ETag', 'b', 'Age', '1', 'Age', '2', 'Date', 'x', 'Date', 'y'],
      ],
      [
        'connection fields',
        ['Connection', 'x-gone', 'X-Gone', '1', 'Keep-Alive', '1', 'HTTP2-Settings', 'x', 'TE', 'gzip'],
      ],
      ['pseudo headers', [':status', '500', ':path', '/']],
      ['names that are no names', ['a b', '1', '', '2', 'x_y', '3']],
    ];
    for (const [what, headers] of SURVIVED) {
      it(`survives ${what} in an answer and in its trailers`, async () => {
        await serving((served) => {
          served.stream.sendHead({ status: 200, headers });
          served.stream.write(Buffer.from('fine'));
          served.stream.end(headers);
        });
        const answer = await ask(PODS);
        expect([answer.status, answer.text]).to.deep.equal([200, 'fine']);
        expect(answer.headers).to.not.have.any.keys('x-gone', 'http2-settings', 'x_y', ':path');
        expect(answer.headers['x-trace-id']).to.match(/^[0-9a-f]{32}$/);
      });
    }

    it('cuts the answer when trailers may not pass', async () => {
      await serving((served) => {
        served.stream.sendHead({ status: 200, headers: [] });
        served.stream.write(Buffer.from('x'));
        served.stream.end(['A', 'b\nc']);
      });
      const outcome = await ask(PODS).then(
        () => 'ended',
        () => 'cut',
      );
      expect(outcome).to.equal('cut');
      await until(() => fixture.isQuiet);
    });

    for (const [what, length, body] of [
      ['longer', '2', 'xyz'],
      ['shorter', '9', 'xyz'],
    ] as const) {
      it(`cuts an answer ${what} than it said, so that no byte of it is taken for the next answer`, async () => {
        await serving((served) => served.answer(200, ['Content-Length', length], body));
        const outcome = await ask(PODS).then(
          () => 'ended',
          () => 'cut',
        );
        expect(outcome).to.equal('cut');
        await until(() => fixture.isQuiet);
      });
    }

    it('says its own trace id, not the target’s', async () => {
      await serving((served) => served.answer(200, ['X-Trace-ID', 'theirs']));
      const answer = await ask(PODS, { headers: { 'x-trace-id': 'mine-1' } });
      expect(answer.headers['x-trace-id']).to.equal('mine-1');
    });

    it('takes an answer that comes before the body was sent, and lets go of the rest', async () => {
      const agent = await serving((served) => {
        served.takesBody = false;
        served.answer(413, [], 'too much');
      });
      const call = fixture.client(protocol).call({ path: PODS, method: 'POST', body: 'open' });
      call.upload.write('a beginning');
      const answer = await call.answer;
      expect([answer.status, await bodyOf(answer)]).to.deep.equal([413, 'too much']);
      await until(() => fixture.isQuiet);
      const served = await agent.request();
      await until(() => served.isClosed);
      call.cancel();
    });

    it('lets go of a body that nobody reads after a fault', async () => {
      const agent = await serving((served) => {
        served.takesBody = false;
      });
      const call = fixture.client(protocol).call({ path: PODS, method: 'POST', body: 'open' });
      const chunk = Buffer.alloc(64 * 1024);
      for (let at = 0; at < 64; at++) call.upload.write(chunk);
      const served = await agent.request();
      await until(() => served.receivedBytes > 0 && fixture.counts.queuedBytes > 0);
      served.stream.reset(ErrorCode.UpstreamReset, 'gone');
      const answer = await call.answer;
      expect(answer.status).to.equal(504);
      statusOf(answer, await bodyOf(answer));
      await until(() => fixture.isQuiet);
      call.cancel();
      await until(() => fixture.counts.connections <= (protocol === 'h2' ? 2 : 1));
    });

    it('lets go of 50 watches at once when their session is cut', async () => {
      const agent = await serving((served) => {
        served.stream.sendHead({ status: 200, headers: [] });
        served.stream.write(Buffer.from('event\n'));
      });
      const client = fixture.client(protocol);
      const answers = await Promise.all(Array.from({ length: 50 }, () => client.call({ path: WATCH }).answer));
      const watches = answers.map(bodyOf);
      await until(() => fixture.counts.requests === 50 && fixture.counts.streams === 50);
      agent.cut();
      await until(() => fixture.counts.sessions === 0);
      fixture.clock.advance(1_000);
      for (const text of await Promise.all(watches)) expect(text).to.equal('event\n');
      await until(() => fixture.isQuiet);
      expect(fixture.counts.sessions).to.equal(0);
      client.close();
      await until(() => fixture.clock.pending === 0);
    });

    it('finishes running requests while it drains, refuses new ones, tells agents', async () => {
      const agent = await fixture.agent();
      const client = fixture.client(protocol);
      const running = client.call({ path: PODS });
      const served = await agent.request();
      const idle = await fixture.raw();
      const drained = fixture.gateway.drain(new AbortController().signal);
      await until(() => agent.goaway !== undefined);
      expect(agent.goaway?.code).to.equal(ErrorCode.Draining);
      served.answer(200, [], 'to the end');
      expect(await bodyOf(await running.answer)).to.equal('to the end');
      await until(() => fixture.counts.requests === 0);
      fixture.clock.advance(100);
      await drained;
      expect(fixture.counts).to.include({ sessions: 0, connections: 0, requests: 0 });
      await idle.closed();
    });

    it('tells who comes while it drains that it is leaving, and that the connection is over', async () => {
      const agent = await fixture.agent();
      const running = fixture.client(protocol).call({ path: PODS });
      const served = await agent.request();
      const drained = fixture.gateway.drain(new AbortController().signal);
      await until(() => agent.goaway !== undefined);
      const late = fixture.client(protocol);
      const answer = await late.call({ path: PODS }).answer;
      expect(answer.status).to.equal(429);
      expect(answer.headers['retry-after']).to.equal('5');
      expect(answer.headers['connection']).to.equal(protocol === 'h2' ? undefined : 'close');
      const status = JSON.parse(await bodyOf(answer)) as { details: { causes: { reason: string }[] } };
      expect(status.details.causes[0]?.reason).to.equal('draining');
      await until(() => fixture.counts.connections === 2);
      served.answer(200, [], 'to the end');
      expect(await bodyOf(await running.answer)).to.equal('to the end');
      await until(() => fixture.counts.requests === 0);
      fixture.clock.advance(100);
      await drained;
    });

    it('ends watches within a second when it drains, and gives logs the time they have', async () => {
      const agent = await serving((served) => {
        served.stream.sendHead({ status: 200, headers: [] });
        served.stream.write(Buffer.from('event\n'));
      });
      const client = fixture.client(protocol);
      const watch = await client.call({ path: WATCH }).answer;
      const log = await client.call({ path: `${PODS}/p/log?follow=true` }).answer;
      await Promise.all([once(watch.body, 'data'), once(log.body, 'data')]);
      const drained = fixture.gateway.drain(new AbortController().signal);
      const watched = bodyOf(watch);
      fixture.clock.advance(1_000);
      await watched;
      await until(() => fixture.counts.requests === 1);
      const logged = bodyOf(log);
      (await agent.request(1)).stream.end();
      await logged;
      await until(() => fixture.counts.requests === 0);
      fixture.clock.advance(100);
      await drained;
    });

    it('ends watches cleanly when the time to drain is over', async () => {
      const agent = await serving((served) => served.stream.sendHead({ status: 200, headers: [] }));
      const answer = await fixture.client(protocol).call({ path: WATCH }).answer;
      const text = bodyOf(answer);
      await agent.request();
      const signal = new AbortController();
      const drained = fixture.gateway.drain(signal.signal);
      signal.abort();
      let isDrained = false;
      void drained.then(() => {
        isDrained = true;
      });
      while (!isDrained) {
        fixture.clock.advance(100);
        await turns(5);
      }
      expect(await text).to.equal('');
    });
  });
}
