import { bodyOf, type Call, SETTINGS } from '../../support/gateway-fixture.ts';
import { until } from '../../support/turns.ts';
import { PODS, WATCH } from '../fault-stage.ts';
import { GATEWAY_FAULTS } from '../faults-of-the-gateway.ts';
import { LIMIT_FAULTS } from '../faults-of-the-limits.ts';
import type { CrossedPath } from './crossed-path.ts';
import { type Crossing, fault } from './crossing.ts';
import { series } from './series.ts';

const TOO_MANY = { status: 429, reason: 'TooManyRequests', hop: 'gateway', retryAfter: '1' };

/** Answers of several, read to their ends. */
export function seenBy(calls: readonly Call[]): Promise<{ status: number; text: string }[]> {
  return Promise.all(
    calls.map(async ({ answer }) => {
      const { status, body } = await answer;
      return { status, text: await bodyOf({ body }) };
    }),
  );
}

/** Five ask, two may: the others wait, and are served when those end. */
async function fiveAsk(path: CrossedPath, below: string): Promise<unknown> {
  path.holdAnswers();
  const client = path.stage.client();
  const seen = seenBy(Array.from({ length: 5 }, () => client.call({ path: `/clusters/c1${below}` })));
  await path.stage.waits(3);
  await until(() => path.stage.executed === 2);
  await path.note();
  await path.endAll();
  return seen;
}

/** Bounds of how many requests there are. */
export const REQUEST_CROSSINGS: readonly Crossing[] = [
  {
    limit: 'spec.limits.maxConcurrentRequests',
    how: 'five requests, two workers: three wait and are answered whole',
    options: { settings: { ...SETTINGS, limits: { ...SETTINGS.limits, maxConcurrentRequests: 2 } } },
    cross: (path) => fiveAsk(path, PODS),
    sees: Array.from({ length: 5 }, () => ({ status: 200, text: 'whole' })),
    meanwhile: {
      [series.busy('ordinary')]: 2,
      [series.room('ordinary')]: 2,
      [series.depth]: 3,
      [series.inFlight]: 5,
      [series.streams]: 2,
    },
    counted: { [series.waited]: 3, [series.ended('OK', '2xx')]: 5 },
  },
  {
    limit: 'spec.limits.maxLongRunningRequests',
    how: 'five watches, two workers: three wait and are answered whole',
    options: { settings: { ...SETTINGS, limits: { ...SETTINGS.limits, maxLongRunningRequests: 2 } } },
    cross: (path) => fiveAsk(path, WATCH),
    sees: Array.from({ length: 5 }, () => ({ status: 200, text: 'whole' })),
    meanwhile: {
      [series.busy('longRunning')]: 2,
      [series.room('longRunning')]: 2,
      [series.depth]: 3,
      [series.inFlight]: 5,
      [series.streams]: 2,
    },
    counted: { [series.waited]: 3, [series.ended('OK', '2xx')]: 5 },
  },
  {
    limit: 'spec.limits.maxLongRunningRequests',
    ...fault(GATEWAY_FAULTS, { kind: 'queue_timeout', what: /no worker came free/ }),
    sees: { ...TOO_MANY, code: 'queue_timeout', message: 'no worker of tunnel "c1" became free in time' },
    meanwhile: { [series.busy('longRunning')]: 8, [series.depth]: 0, [series.streams]: 8, [series.inFlight]: 8 },
    counted: { [series.refused('queue_timeout')]: 1, [series.waited]: 1 },
  },
  {
    limit: 'spec.limits.maxQueuedRequests',
    ...fault(LIMIT_FAULTS, { kind: 'queue_full', what: /limits.maxQueuedRequests/ }),
    sees: {
      ...TOO_MANY,
      code: 'queue_full',
      message: '3 requests wait for tunnel "c1" (spec.limits.maxQueuedRequests)',
    },
    meanwhile: { [series.depth]: 3, [series.busy('longRunning')]: 8, [series.inFlight]: 11 },
    counted: { [series.refused('queue_full')]: 1, [series.waited]: 3 },
  },
  {
    limit: 'spec.limits.maxStreamsPerSession',
    ...fault(LIMIT_FAULTS, { kind: 'session_full', what: /maxStreamsPerSession/ }),
    sees: {
      ...TOO_MANY,
      code: 'stream_limit',
      message:
        'as many requests run or wait at tunnel "c1" as its sessions may carry (spec.limits.maxStreamsPerSession)',
    },
    meanwhile: { [series.streams]: 8, [series.depth]: 2, [series.inFlight]: 10 },
    counted: { [series.refused('stream_limit')]: 1, [series.waited]: 2 },
  },
  {
    limit: 'spec.limits.rateLimit',
    ...fault(LIMIT_FAULTS, { kind: 'rate_limited', what: /limits.rateLimit/ }),
    sees: {
      ...TOO_MANY,
      code: 'rate_limited',
      message: 'tunnel "c1" gets more than 1 requests a second (spec.limits.rateLimit)',
    },
    meanwhile: { [series.inFlight]: 0, [series.streams]: 0 },
    counted: { [series.refused('rate_limited')]: 1, [series.ended('OK', '2xx')]: 1 },
  },
];
