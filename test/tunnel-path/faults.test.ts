import { expect } from 'chai';
import { codeOf, FAULT_KINDS, type FaultKind, rowOf } from '../../operator/gateway/front/fault.ts';
import { type FaultCase, FaultStage, type Told, type Way } from './fault-stage.ts';
import { GATEWAY_FAULTS } from './faults-of-the-gateway.ts';
import { LIMIT_FAULTS } from './faults-of-the-limits.ts';
import { UPSTREAM_FAULTS } from './faults-of-the-upstream.ts';
import { AGENT_FAULTS, CIRCUIT_FAULTS, TUNNEL_FAULTS } from './faults-of-the-way.ts';

const CASES: readonly FaultCase[] = [
  ...GATEWAY_FAULTS,
  ...LIMIT_FAULTS,
  ...TUNNEL_FAULTS,
  ...CIRCUIT_FAULTS,
  ...AGENT_FAULTS,
  ...UPSTREAM_FAULTS,
];
/** What else runs at the target is why these are refused. */
const OTHERS_RUN: ReadonlySet<FaultKind> = new Set([
  'queue_full',
  'queue_timeout',
  'session_full',
  'stream_limit',
  'rate_limited',
]);
const TRACE_ID = 'trace-of-this-test';
/** What is for logs, not for people who read a message. */
const UNREADABLE = /undefined|\[object|\bE[A-Z]{5,}\b|(?<!\()\b[A-Z]{3,}_[A-Z_]+\b|\n/;

/** How a question is asked: reads as HEAD too. */
function methodsFor({ question: { method = 'GET' } = {} }: FaultCase, way: Way): string[] {
  if (way === 'upgrade') return method === 'POST' ? ['POST'] : ['GET'];
  return method === 'GET' ? ['GET', 'HEAD'] : [method];
}

describe('tunnel-path/faults', function () {
  this.timeout(60_000);

  it('each kind of fault is brought about by some case', () => {
    const provoked = new Set(CASES.map(({ kind }) => kind));
    expect(FAULT_KINDS.filter((kind) => !provoked.has(kind))).to.deep.equal([]);
  });

  for (const each of CASES) {
    const played = each.played === undefined ? '' : ` (played: ${each.played})`;
    describe(`${each.kind}: ${each.what}${played}`, () => {
      let stage: FaultStage;
      beforeEach(async () => {
        stage = await FaultStage.start(each.options);
      });
      afterEach(() => stage.stop());

      for (const [way, method] of each.ways.flatMap((one) => methodsFor(each, one).map((by) => [one, by] as const))) {
        it(`${method}, ${way}`, async () => {
          const told = await provoked(each, stage, { way, method });
          expectHead(each, told, way);
          if (method === 'HEAD') expect(told.text).to.equal('');
          else expectStatus(each, told);
          expectTruth(each, told, { method, way, executed: stage.executed });
          expectLine(each, stage);
          expect(stage.path.gateway.refused, 'counted by its code').to.include(codeOf(each.kind));
        });
      }
    });
  }
});

function provoked(
  { question = {}, provoke = (_, ask) => ask() }: FaultCase,
  stage: FaultStage,
  { way, method }: { readonly way: Way; readonly method: string },
): Promise<Told> {
  const headers = { ...question.headers, 'X-Trace-ID': TRACE_ID };
  const ask = () => stage.ask(way, { ...question, method, headers });
  return provoke(stage, ask, way);
}

function expectHead({ kind, retryAfter }: FaultCase, { status, headers }: Told, way: Way): void {
  const row = rowOf(kind);
  const seconds = retryAfter ?? row.retryAfterSeconds;
  const isLast = way === 'upgrade' || (way === 'http/1.1' && row.isLast === true);
  expect(status).to.equal(row.status);
  expect(headers['content-type']).to.equal('application/json');
  expect(headers['x-content-type-options']).to.equal('nosniff');
  expect(headers['x-trace-id']).to.equal(TRACE_ID);
  expect(headers['retry-after']).to.equal(seconds === undefined ? undefined : String(seconds));
  if (way === 'h2') expect(headers).to.not.have.property('connection');
  else expect(headers['connection']).to.equal(isLast ? 'close' : 'keep-alive');
}

function expectStatus({ kind, retryAfter, tells, isNamed, question }: FaultCase, { text }: Told): void {
  const { status: code, reason, hop, retryAfterSeconds } = rowOf(kind);
  const status = JSON.parse(text);
  const seconds = retryAfter ?? retryAfterSeconds;
  const { message } = status.details.causes[0];
  const tunnel = question?.tunnel ?? 'c1';
  expect(status).to.deep.equal({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `${message} (trace ${TRACE_ID})`,
    reason,
    details: {
      ...(isNamed ? { name: tunnel } : {}),
      group: 'clustertunnel.io',
      kind: 'clustertunnels',
      causes: [{ reason: codeOf(kind), message, field: hop }],
      ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }),
    },
    code,
  });
  expect(message).to.not.match(UNREADABLE);
  if (typeof tells === 'string') expect(message).to.contain(tells);
  else expect(message).to.match(tells);
}

/** Retry-After makes clients send it again, even a POST: it must not have run, or be a read. */
function expectTruth(
  { executed = 0, kind }: FaultCase,
  { headers }: Told,
  asked: { readonly method: string; readonly way: Way; readonly executed: number },
): void {
  expect(asked.executed, 'requests at the target').to.equal(executed);
  const isRead = asked.way !== 'upgrade' && asked.method !== 'POST';
  const others = OTHERS_RUN.has(kind) ? executed : 0;
  if (headers['retry-after'] !== undefined && !isRead) expect(asked.executed - others).to.equal(0);
}

function expectLine({ kind, question, isNamed }: FaultCase, stage: FaultStage): void {
  const lines = stage.linesOf(TRACE_ID);
  expect(lines, JSON.stringify(lines)).to.have.length(1);
  const fields = lines[0]?.fields ?? {};
  expect(fields).to.include({ code: codeOf(kind), hop: rowOf(kind).hop });
  if (isNamed) expect(fields['tunnel']).to.equal(question?.tunnel ?? 'c1');
}
