import { ALL_WAYS, type FaultCase, type FaultStage, WATCH } from './fault-stage.ts';
import { FEW_WORKERS, LONG_WORKERS, takeAllWorkers } from './faults-of-the-gateway.ts';

/** One request a second, and one at once. */
const ONE = { requestsPerSecond: 1, burst: 1 };
/** Long-running by each rule: of the upgrade's path, and of the query. */
const LONG = { path: '/api/v1/namespaces/default/pods/web/exec?follow=true&watch=true' };

/** All workers are taken, and so many requests wait for one. */
async function crowd(stage: FaultStage, waiting: number): Promise<void> {
  await takeAllWorkers(stage);
  const client = stage.client();
  for (let at = 0; at < waiting; at++) client.call({ path: `/clusters/c1${WATCH}` });
  await stage.waits(waiting);
}

/** A request beyond a limit of spec.limits, or of the gateway's flags. */
export const LIMIT_FAULTS: readonly FaultCase[] = [
  {
    kind: 'rate_limited',
    what: 'more requests a second than limits.rateLimit of the tunnel',
    ways: ALL_WAYS,
    options: { admission: { maxQueuedRequests: 2_000, rateLimit: ONE } },
    provoke: async (stage, ask) => {
      await stage.ask('h2');
      return ask();
    },
    tells: 'tunnel "c1" gets more than 1 requests a second (spec.limits.rateLimit)',
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'rate_limited',
    what: 'more requests a second of one user than --user-requests-per-second',
    ways: ALL_WAYS,
    options: { userRate: ONE },
    provoke: async (stage, ask) => {
      await stage.ask('h2');
      return ask();
    },
    tells: 'user "alice" sends more than 1 requests a second to this gateway',
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'queue_full',
    what: 'more wait than limits.maxQueuedRequests of the tunnel',
    ways: ALL_WAYS,
    options: {
      settings: FEW_WORKERS,
      admission: { maxQueuedRequests: 3, rateLimit: { requestsPerSecond: 100, burst: 100 } },
    },
    question: LONG,
    provoke: async (stage, ask) => {
      await crowd(stage, 3);
      return ask();
    },
    tells: '3 requests wait for tunnel "c1" (spec.limits.maxQueuedRequests)',
    isNamed: true,
    executed: LONG_WORKERS,
  },
  {
    kind: 'session_full',
    what: 'more run and wait than limits.maxStreamsPerSession',
    ways: ALL_WAYS,
    options: {
      settings: { ...FEW_WORKERS, limits: { ...FEW_WORKERS.limits, maxStreamsPerSession: LONG_WORKERS + 2 } },
    },
    question: LONG,
    provoke: async (stage, ask) => {
      await crowd(stage, 2);
      return ask();
    },
    tells: 'as many requests run or wait at tunnel "c1" as its sessions may carry (spec.limits.maxStreamsPerSession)',
    isNamed: true,
    executed: LONG_WORKERS,
  },
];
