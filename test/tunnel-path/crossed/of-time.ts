import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AgentSettings } from '../../../crds/agent-settings.ts';
import { bytesOf, SETTINGS } from '../../support/gateway-fixture.ts';
import { standstill, until } from '../../support/turns.ts';
import { PODS } from '../fault-stage.ts';
import { GATEWAY_FAULTS } from '../faults-of-the-gateway.ts';
import { UPSTREAM_FAULTS } from '../faults-of-the-upstream.ts';
import { pour } from '../whole-path.ts';
import type { CrossedPath } from './crossed-path.ts';
import { type Crossing, fault, refusal } from './crossing.ts';
import { series } from './series.ts';

/** More than all sockets between target and client hold. */
const MUCH = Buffer.alloc(64 * 2 ** 20, 'x');

/** A tunnel that says so. */
export const within = (timeouts: Partial<AgentSettings['timeouts']>) => ({
  settings: { ...SETTINGS, timeouts: { ...SETTINGS.timeouts, ...timeouts } },
});

/** Where the API server was, somebody accepts and says nothing. */
async function beMute(path: CrossedPath): Promise<void> {
  const { upstream } = path.stage.path;
  const port = Number(new URL(upstream.url).port);
  await upstream.close();
  const mute = createServer((socket) => {
    socket.on('error', () => {}); // it is given up: what the test waits for
    path.defer(() => socket.destroy());
  });
  path.defer(() => mute.close());
  mute.listen(port, '127.0.0.1');
  await once(mute, 'listening');
}

/** An answer whose beginning came. */
export async function begun(path: CrossedPath, bytes: Buffer) {
  let answering: ServerResponse | undefined;
  path.stage.path.upstream.answer = (_, response) => {
    answering = response;
    response.on('error', () => {}); // cut in the middle: what the tests are about
    void pour(response, bytes);
  };
  const { status, body } = await path.stage.client().call({ path: `/clusters/c1${PODS}` }).answer;
  await once(body, 'data');
  const end = bytesOf({ body }).then(
    () => 'whole',
    () => 'cut',
  );
  return { status, body, end, written: () => answering?.socket?.bytesWritten ?? 0 };
}

/** A client takes the beginning of an answer, and nothing more. */
async function takeNothing(path: CrossedPath): Promise<unknown> {
  const { status, body, end, written } = await begun(path, MUCH);
  body.pause();
  await standstill(written);
  await path.note();
  const { gateway } = path.stage.path;
  await gateway.pass(SETTINGS.timeouts.backpressureMs - 1);
  const { streams } = gateway.counts;
  // The agent looks four times in that; what moved last may have moved since the first look.
  await gateway.pass(SETTINGS.timeouts.backpressureMs / 4 + 1);
  await until(() => gateway.counts.streams === 0);
  body.resume();
  return { streams, status, end: await end };
}

/** How long each step of a request may take. */
export const TIME_CROSSINGS: readonly Crossing[] = [
  {
    limit: 'spec.timeouts.connect',
    how: 'an API server that accepts and says nothing; in real time, because it is the socket’s',
    options: within({ connectMs: 100 }),
    cross: async (path) => {
      await beMute(path);
      const told = await path.stage.ask('h2', { method: 'POST', body: '{}' });
      await path.note();
      return refusal(told);
    },
    sees: {
      ...{ status: 503, reason: 'ServiceUnavailable', code: 'upstream_unreachable', hop: 'upstream', retryAfter: '2' },
      message:
        'the agent of tunnel "c1" cannot reach the API server: https://target: no connection in time: check routes and network policies',
    },
    meanwhile: { [series.busy()]: 0, [series.connections]: 0 },
    counted: {
      [series.refused('upstream_unreachable')]: 1,
      [series.failed('UPSTREAM_UNREACHABLE')]: 1,
      [series.ended('UPSTREAM_UNREACHABLE', 'none')]: 1,
    },
  },
  {
    limit: 'spec.timeouts.upstreamHeaders',
    ...fault(UPSTREAM_FAULTS, { kind: 'upstream_timeout', what: /does not begin to answer/ }),
    sees: {
      ...{ status: 504, reason: 'Timeout', code: 'upstream_timeout', hop: 'upstream', retryAfter: undefined },
      message:
        'the API server behind tunnel "c1" did not answer in time; the request may have been executed: https://target sent no response head in time',
    },
    meanwhile: { [series.busy()]: 0 },
    counted: {
      [series.refused('upstream_timeout')]: 1,
      [series.failed('UPSTREAM_TIMEOUT')]: 1,
      [series.ended('UPSTREAM_TIMEOUT', 'none')]: 1,
    },
  },
  {
    limit: 'spec.timeouts.request',
    ...fault(GATEWAY_FAULTS, { kind: 'request_timeout', what: /timeouts.request/ }),
    sees: {
      ...{ status: 504, reason: 'Timeout', code: 'request_timeout', hop: 'gateway', retryAfter: undefined },
      message: 'tunnel "c1": the request did not complete within 5 s; the request may have been executed',
    },
    meanwhile: { [series.busy()]: 0 },
    counted: { [series.refused('request_timeout')]: 1, [series.ended('DEADLINE', 'none')]: 1 },
  },
  {
    limit: 'spec.timeouts.backpressure',
    how: 'a client who takes nothing: the answer breaks off',
    cross: takeNothing,
    sees: { streams: 1, status: 200, end: 'cut' },
    meanwhile: { [series.busy()]: 1 },
    counted: { [series.cut('backpressure_timeout')]: 1, [series.ended('BACKPRESSURE', '2xx')]: 1 },
  },
];
