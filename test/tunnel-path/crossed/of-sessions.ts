import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { type Answer, bytesOf, SETTINGS } from '../../support/gateway-fixture.ts';
import { standstill, until } from '../../support/turns.ts';
import { PODS } from '../fault-stage.ts';
import type { CrossedPath } from './crossed-path.ts';
import { type Crossing, refusal } from './crossing.ts';
import { begun, within } from './of-time.ts';
import { series } from './series.ts';

/** More than all sockets between target and client hold. */
const MUCH = Buffer.alloc(64 * 2 ** 20, 'x');
const LOST_READ = {
  ...{ status: 503, reason: 'ServiceUnavailable', code: 'session_lost', hop: 'tunnel', retryAfter: '1' },
  message: 'tunnel "c1" was lost while the request ran: the connection closed (1006)',
};

async function wholeOf({ status, headers, body }: Answer) {
  return { status, headers, body: await bytesOf({ body }) };
}

/** Time goes by until the agent gives its session up; resolves with how long that took, when the gateway knows too. */
async function untilGivenUp({ stage: { path } }: CrossedPath): Promise<number> {
  const { gateway, dialer } = path;
  const startedMs = gateway.clock.nowMs();
  while (dialer.state === 'ready') gateway.clock.advance(500);
  const livedMs = gateway.clock.nowMs() - startedMs;
  await until(() => gateway.counts.sessions === 0);
  return livedMs;
}

/** More answers than a connection has in hand at once, of which nothing leaves the agent. */
async function holdTheControl(path: CrossedPath): Promise<unknown> {
  const { upstream, dialer } = path.stage.path;
  const bytes = randomBytes(256 * 1024);
  upstream.answer = (_, response) => response.end(bytes);
  path.stick();
  const client = path.stage.client();
  const calls = Array.from({ length: 16 }, () => client.call({ path: `/clusters/c1${PODS}` }));
  await path.stage.arrived(16);
  await standstill(() => dialer.ready?.session.counts.queuedBytes ?? 0);
  // As each interval.
  dialer.ready?.health({});
  expect(dialer.ready?.session.counts.controlFrames, 'behind what is in hand').to.be.greaterThan(0);
  await path.note();
  const livedMs = await untilGivenUp(path);
  path.advance(1_000);
  const answers = await Promise.all(calls.map(({ answer }) => answer.then(wholeOf)));
  const exact = answers.filter(({ body }) => body.equals(bytes)).length;
  const refusals = answers
    .filter(({ status }) => status !== 200)
    .map(({ body, ...rest }) => ({ ...rest, text: String(body) }));
  return { livedMs, exact, refusals: refusals.map(refusal), executed: path.stage.executed };
}

/** An answer whose middle does not leave the agent. */
async function holdTheData(path: CrossedPath): Promise<unknown> {
  const { status, end, written } = await begun(path, MUCH);
  path.stick();
  await standstill(written);
  await path.note();
  return { livedMs: await untilGivenUp(path), status, end: await end };
}

/** The agent is away for longer than a request may wait. */
async function beAway(path: CrossedPath): Promise<unknown> {
  await path.stage.path.break();
  const told = path.stage.ask('h2');
  await path.stage.waits();
  await path.note();
  path.advance(SETTINGS.timeouts.disconnectGraceMs - 1);
  await path.stage.waits();
  path.advance(1);
  return refusal(await told);
}

/** The agent stops while a request runs that does not end. As its main: it is cut after timeouts.drain. */
async function outlastTheDrain(path: CrossedPath): Promise<unknown> {
  const { agent, dialer, upstream } = path.stage.path;
  upstream.answer = () => {};
  const told = path.stage.ask('h2', { method: 'POST', body: '{}' });
  await path.stage.arrived();
  const deadline = new AbortController();
  const { drainMs } = agent.limits.current.timeouts;
  path.stage.path.gateway.clock.after(drainMs, () => deadline.abort());
  const stopped = dialer.stop(deadline.signal);
  path.advance(drainMs - 1);
  await path.note();
  path.advance(1);
  await stopped;
  return refusal(await told);
}

/** How long a session may be stuck, away or on its way out. */
export const SESSION_CROSSINGS: readonly Crossing[] = [
  {
    limit: 'spec.timeouts.controlWrite',
    how: 'control frames that wait behind bytes that do not leave the agent: reads are answered through the next session',
    options: within({ controlWriteMs: 2_000, backpressureMs: 60_000 }),
    cross: holdTheControl,
    // So many reads are sent again after a lost session, and no more.
    sees: { livedMs: 3_000, exact: 3, refusals: Array.from({ length: 13 }, () => LOST_READ), executed: 19 },
    meanwhile: { [series.busy()]: 16, [series.sessions]: 1, [series.streams]: 16 },
    counted: {
      [series.dialed('lost')]: 1,
      [series.dialed('ready')]: 2,
      [series.over('NONE')]: 1,
      [series.ended('SESSION_LOST', '2xx')]: 16,
      [series.ended('OK', '2xx')]: 3,
      [series.refused('session_lost')]: 13,
    },
  },
  {
    limit: 'spec.timeouts.dataWrite',
    how: 'bytes that do not leave the agent: the answer breaks off',
    options: within({ dataWriteMs: 2_000 }),
    cross: holdTheData,
    sees: { livedMs: 3_000, status: 200, end: 'cut' },
    meanwhile: { [series.busy()]: 1, [series.sessions]: 1, [series.streams]: 1 },
    counted: {
      [series.cut('session_lost')]: 1,
      [series.dialed('lost')]: 1,
      [series.over('NONE')]: 1,
      [series.ended('SESSION_LOST', '2xx')]: 1,
    },
  },
  {
    limit: 'spec.timeouts.disconnectGrace',
    how: 'an agent that is away for longer',
    cross: beAway,
    sees: {
      ...{ status: 503, reason: 'ServiceUnavailable', code: 'cluster_reconnecting', hop: 'tunnel', retryAfter: '5' },
      message: 'tunnel "c1" is reconnecting',
    },
    meanwhile: { [series.depth]: 1, [series.sessions]: 0, [series.waiting]: 1 },
    counted: { [series.refused('cluster_reconnecting')]: 1, [series.waited]: 1 },
  },
  {
    limit: 'spec.timeouts.drain',
    how: 'a write that outlasts an agent that stops',
    options: within({ drainMs: 5_000 }),
    cross: outlastTheDrain,
    sees: {
      ...{ status: 504, reason: 'Timeout', code: 'session_lost', hop: 'tunnel', retryAfter: undefined },
      message: 'tunnel "c1" was lost while the request ran; the request may have been executed: the agent stopped',
    },
    meanwhile: { [series.busy()]: 1, [series.sessions]: 1 },
    counted: {
      [series.refused('session_lost')]: 1,
      [series.over('DRAINING')]: 1,
      [series.ended('SESSION_LOST', 'none')]: 1,
    },
  },
];
