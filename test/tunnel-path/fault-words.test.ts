import { once } from 'node:events';
import { connect } from 'node:http2';
import { expect } from 'chai';
import { PROTOCOLS } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { ALL_WAYS, FaultStage, PODS, parsed, type Question, type Told, WATCH, type Way } from './fault-stage.ts';

const TRACE_ID = 'trace-of-this-test';
const NEW_TRACE_ID = /^[0-9a-f]{32}$/;
const W3C = '4bf92f3577b34da6a3ce929d0e0e4736';

/** What clients call a request, and what it is called from then on. */
const TRACES: readonly (readonly [string, Readonly<Record<string, string>>, string | RegExp])[] = [
  ['nothing', {}, NEW_TRACE_ID],
  ['64 safe characters', { 'X-Trace-ID': 'a'.repeat(64) }, 'a'.repeat(64)],
  ['65 characters', { 'X-Trace-ID': 'a'.repeat(65) }, NEW_TRACE_ID],
  ['a sentence', { 'X-Trace-ID': 'not mine" {injected}' }, NEW_TRACE_ID],
  ['nothing between quotes', { 'X-Trace-ID': '' }, NEW_TRACE_ID],
  ['a traceparent', { traceparent: `00-${W3C}-00f067aa0ba902b7-01` }, W3C],
  ['a traceparent of zeros', { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }, NEW_TRACE_ID],
  ['half a traceparent', { traceparent: `00-${W3C}` }, NEW_TRACE_ID],
  ['both', { 'X-Trace-ID': 'mine', traceparent: `00-${W3C}-00f067aa0ba902b7-01` }, 'mine'],
  ['a bad one beside a traceparent', { 'X-Trace-ID': '<b>', traceparent: `00-${W3C}-00f067aa0ba902b7-01` }, W3C],
];

describe('tunnel-path/fault-words', function () {
  this.timeout(60_000);
  let stage: FaultStage;
  beforeEach(async () => {
    stage = await FaultStage.start();
  });
  afterEach(() => stage.stop());

  for (const way of ALL_WAYS) {
    describe(`over ${way}`, () => {
      for (const [what, headers, expected] of TRACES) {
        it(`a request whose trace id is ${what}: header, message and log line say the same`, async () => {
          stage.path.gateway.addTunnel('c2');
          const { headers: told, text } = await stage.ask(way, { tunnel: 'c2', headers });
          const traceId = String(told['x-trace-id']);
          expect(traceId).to.match(typeof expected === 'string' ? new RegExp(`^${expected}$`) : expected);
          expect(JSON.parse(text).message).to.match(new RegExp(` \\(trace ${traceId}\\)$`));
          expect(stage.linesOf(traceId)).to.have.length(1);
        });
      }

      it('who has no rights is told the same of a tunnel that there is and of one that there is not', async () => {
        for (const question of questionsOf(way)) {
          const known = await stage.ask(way, { ...question, tunnel: 'c1' });
          const unknown = await stage.ask(way, { ...question, tunnel: 'c2' });
          expect(known.status).to.equal(403);
          expect(withoutNames(unknown)).to.deep.equal(withoutNames(known));
        }
      });

      it('a 403 on a discovery path is text: kubectl shows a Status there as "unknown"', async () => {
        const { status, headers, text } = await stage.ask(way, { path: '/apis/apps/v1', token: 'mallory' });
        expect([status, headers['content-type']]).to.deep.equal([403, 'text/plain; charset=utf-8']);
        expect(text).to.match(/User "mallory" cannot (get|create) resource .* \(trace [0-9a-f]{32}\)\n$/);
      });
    });
  }

  it('a gateway that drains says GOAWAY to HTTP/2, and Connection: close to HTTP/1.1', async () => {
    const { url, ca, gateway, clock } = stage.path.gateway;
    stage.path.upstream.answer = (_, response) => response.flushHeaders();
    const session = connect(url, { ca });
    const goaway = once(session, 'goaway');
    const watch = session.request({ ':path': `/clusters/c1${WATCH}`, authorization: 'Bearer alice' });
    await once(watch, 'response');
    const raw = await stage.path.gateway.raw();
    raw.write(`GET /clusters/c1${PODS} HTTP/1.1\r\nHost: g\r\n`);
    const enough = new AbortController();
    const drained = gateway.drain(enough.signal);
    raw.write('Authorization: Bearer alice\r\n\r\n');
    const [code] = await goaway;
    expect(code).to.equal(0);
    const { status, headers } = parsed(await raw.closed());
    expect({ status, ...headers }).to.include({ status: 429, connection: 'close', 'retry-after': '5' });
    enough.abort();
    session.destroy();
    await until(() => gateway.counts().requests === 0);
    clock.advance(2_000);
    await drained;
  });

  for (const protocol of PROTOCOLS) {
    it(`of what is underneath the log tells, without its secrets, and the client hears nothing: ${protocol}`, async () => {
      const secret = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';
      stage.path.gateway.reviewToken = () => Promise.reject(new Error(`POST https://10.0.0.1/?token: ${secret}`));
      const { text } = await stage.ask(protocol, { headers: { 'X-Trace-ID': TRACE_ID } });
      expect(text).to.not.contain('10.0.0.1').and.not.contain(secret);
      const [line] = stage.linesOf(TRACE_ID);
      expect(line?.fields['cause']).to.contain('10.0.0.1').and.not.contain(secret);
    });
  }
});

/** Of mallory, who may use no tunnel: resources, discovery, and as somebody else. */
function questionsOf(way: Way): Question[] {
  const headers = { 'X-Trace-ID': TRACE_ID };
  const plain = { token: 'mallory', headers };
  const others = [
    { ...plain, path: '/api' },
    { ...plain, headers: { ...headers, 'Impersonate-User': 'root' } },
  ];
  return way === 'upgrade'
    ? [plain, ...others]
    : [plain, { ...plain, method: 'DELETE', path: `${PODS}/web` }, ...others];
}

/** All that was said, but the tunnel's name, which the client said first, and the time. */
function withoutNames({ status, headers, text }: Told) {
  // Each request has a span of its own.
  const { date, traceparent: _span, ...rest } = headers;
  return { status, headers: { ...rest, date: typeof date }, text: text.replace(/"c[12]\\"|"c[12]"/g, '"c"') };
}
