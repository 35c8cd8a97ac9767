import { expect } from 'chai';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import { type Ask, PROTOCOLS, whole } from '../support/gateway-fixture.ts';
import { type LogLine, LogLines } from '../support/log-lines.ts';
import { until } from '../support/turns.ts';
import { EXEC, WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
const W3C = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('tunnel-path/traces', function () {
  this.timeout(60_000);
  let path: WholePath;
  let gatewayLog: LogLines;
  let agentLog: LogLines;
  beforeEach(async () => {
    gatewayLog = new LogLines();
    agentLog = new LogLines();
    path = await WholePath.start({ gateway: { log: gatewayLog.log }, agentLog: agentLog.log });
  });
  afterEach(() => path.stop());

  /** The lines that the request left at the gateway and at the agent. */
  async function lines(): Promise<[LogLine, LogLine]> {
    await until(() => gatewayLog.saying('audit').length > 0 && agentLog.saying('exchange ended').length > 0);
    const [gateway = {}] = gatewayLog.saying('audit');
    const [agent = {}] = agentLog.saying('exchange ended');
    return [gateway, agent];
  }

  /** What the target got last, by lower-case name. */
  function seenHeaders(): Readonly<Record<string, string | undefined>> {
    const { rawHeaders } = path.upstream.last;
    const named = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1]]] : []));
    const tracing = named.map(([name]) => name).filter((name) => /^trace|^x-trace/.test(name ?? ''));
    expect(new Set(tracing).size, 'each once').to.equal(tracing.length);
    return Object.fromEntries(named);
  }

  /** Trace id, span id and flags. */
  const partsOf = (traceparent: unknown) =>
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(String(traceparent))?.slice(1) ?? [];

  for (const protocol of PROTOCOLS) {
    const ask = (rest: Partial<Ask> = {}) => whole(path.gateway.client(protocol), { path: PODS, ...rest });

    it(`${protocol}: one X-Trace-ID and one trace in both logs, the target's request and the answer`, async () => {
      const { headers } = await ask({
        headers: { 'x-trace-id': 'mine-1', traceparent: `00-${W3C}-${SPAN}-01`, tracestate: 'vendor=1' },
      });
      const [gateway, agent] = await lines();
      const seen = seenHeaders();
      expect([headers['x-trace-id'], gateway['trace_id'], agent['trace_id'], seen['x-trace-id']]).to.deep.equal([
        ...['mine-1', 'mine-1', 'mine-1', 'mine-1'],
      ]);
      const parents = [headers['traceparent'], gateway['traceparent'], agent['traceparent'], seen['traceparent']];
      for (const parent of parents) expect(partsOf(parent)).to.include.members([W3C, '01']);
      const spans = parents.map((parent) => partsOf(parent)[1]);
      expect(spans[0], 'the span of the gateway').to.equal(spans[1]);
      expect(spans[2], 'the span of the agent').to.equal(spans[3]);
      expect(new Set([SPAN, ...spans]).size, 'a span each').to.equal(3);
      expect(seen['tracestate']).to.equal('vendor=1');
      expect(agent['level'], 'who follows his request finds it in the usual log of the agent').to.equal('info');
    });

    it(`${protocol}: makes both where the client says none, and at the agent only for who looks closely`, async () => {
      const { headers } = await ask();
      const [gateway, agent] = await lines();
      const traceId = headers['x-trace-id'];
      expect(traceId).to.match(/^[0-9a-f]{32}$/);
      expect([gateway['trace_id'], agent['trace_id'], seenHeaders()['x-trace-id']]).to.deep.equal(
        Array(3).fill(traceId),
      );
      expect(partsOf(seenHeaders()['traceparent'])).to.include.members([traceId, '00']);
      expect(agent['level']).to.equal('debug');
    });
  }

  const strange: readonly [string, Readonly<Record<string, string | readonly string[]>>][] = [
    ['an id of strange characters', { 'x-trace-id': 'a b', traceparent: `00-${W3C}-${'0'.repeat(16)}-01` }],
    ['a traceparent of a version that cannot be', { traceparent: `ff-${W3C}-${SPAN}-01` }],
    ['a traceparent that is said twice', { traceparent: [`00-${W3C}-${SPAN}-01`, `00-${W3C}-${SPAN}-01`] }],
  ];
  for (const [what, headers] of strange) {
    it(`replaces ${what}, and the target hears nothing of it`, async () => {
      const answer = await whole(path.gateway.client('http/1.1'), {
        path: PODS,
        headers: { ...headers, tracestate: 'vendor=1' },
      });
      const seen = seenHeaders();
      const said = [
        answer.headers['x-trace-id'],
        answer.headers['traceparent'],
        seen['x-trace-id'],
        seen['traceparent'],
      ];
      expect(said.join()).to.not.match(new RegExp(`${W3C}|${SPAN}|a b|undefined`));
      expect(seen['tracestate']).to.equal(undefined);
    });
  }

  it('follows an upgrade too', async () => {
    const lines = ['X-Trace-ID: mine-2', `traceparent: 00-${W3C}-${SPAN}-00`];
    const raw = await path.upgrade({ path: EXEC, lines });
    const upgraded = await path.upstream.upgraded();
    expect(upgraded.request.headers['x-trace-id']).to.equal('mine-2');
    expect(raw.head)
      .to.contain('X-Trace-ID: mine-2\r\n')
      .and.match(new RegExp(`traceparent: 00-${W3C}-.{16}-00\r\n`));
    const parent = upgraded.request.headers['traceparent'];
    expect(partsOf(parent)[0]).to.equal(W3C);
    raw.reset();
    await until(() => agentLog.saying('exchange ended').length > 0 && gatewayLog.saying('audit').length > 0);
    expect(agentLog.saying('exchange ended')[0]).to.include({ trace_id: 'mine-2', traceparent: parent });
    expect(gatewayLog.saying('audit')[0]).to.include({ trace_id: 'mine-2', isUpgrade: true });
  });

  it('is in the Status of a request that failed at the target, and in the usual log of the agent', async () => {
    path.upstream.answer = (request) => request.socket.destroy();
    const { headers, text } = await whole(path.gateway.client('h2'), { path: PODS, method: 'POST', body: '{}' });
    const traceId = String(headers['x-trace-id']);
    expect(JSON.parse(text).message).to.contain(`(trace ${traceId})`);
    expect(partsOf(headers['traceparent'])[0]).to.equal(traceId);
    await until(() => agentLog.saying('exchange ended').length > 0);
    const code = ErrorCode.UpstreamReset;
    expect(path.agent.ends[0]?.code).to.equal(code);
    expect(agentLog.saying('exchange ended')[0]).to.include({ level: 'info', trace_id: traceId });
  });

  it('is in what a client is told that was not let in', async () => {
    const ask = { path: PODS, token: 'nobody', headers: { 'x-trace-id': 'mine-3' } };
    const { status, headers, text } = await whole(path.gateway.client('h2'), ask);
    expect(status).to.equal(401);
    expect(headers['x-trace-id']).to.equal('mine-3');
    expect(partsOf(headers['traceparent'])).to.have.length(3);
    expect(text).to.contain('(trace mine-3)');
  });
});
