import { ErrorCode } from '../../tunnel/wire/codes.ts';
import { MAX_HEADER_LINES } from '../../tunnel/wire/limits.ts';
import { SETTINGS } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { ALL_WAYS, type FaultCase, type FaultStage, REQUESTS, WATCH } from './fault-stage.ts';

/** Reviews of one address that the gateway has under way or in line. */
const REVIEWS_OF_ONE = 256;
/** Log-ins that one address may fail at once. */
const FAILED_LOGINS = 10;
/** limits.maxQueuedRequests. */
const QUEUE = 2_000;
/** Streams that one HTTP/2 connection may have, and some to spare. */
const PER_CONNECTION = 200;
/** Workers of an agent that has few for requests without an end. */
export const LONG_WORKERS = 8;
/** What makes it so. */
export const FEW_WORKERS = { ...SETTINGS, limits: { ...SETTINGS.limits, maxLongRunningRequests: LONG_WORKERS } };
const { requestMs } = SETTINGS.timeouts;

/** More of the same address than the gateway asks the hub about at once. */
async function crowdTheDoor(stage: FaultStage): Promise<void> {
  const { gateway } = stage.path;
  gateway.reviewToken = (_, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('too late'))));
  let client = stage.client();
  for (let at = 0; at < REVIEWS_OF_ONE; at++) {
    if (at % PER_CONNECTION === 0) client = stage.client();
    client.call({ path: '/clusters/c1/api', token: `token-${at}` });
  }
  await until(() => gateway.counts.requests === REVIEWS_OF_ONE);
}

async function fillTheQueue(stage: FaultStage): Promise<void> {
  for (let at = 0; at < QUEUE / PER_CONNECTION; at++) {
    const client = stage.client();
    for (let each = 0; each < PER_CONNECTION; each++) client.call({ path: '/clusters/c1/api' });
  }
  await stage.waits(QUEUE);
}

export async function takeAllWorkers(stage: FaultStage): Promise<void> {
  stage.path.upstream.answer = (_, response) => response.flushHeaders();
  const client = stage.client();
  for (let at = 0; at < LONG_WORKERS; at++) client.call({ path: `/clusters/c1${WATCH}` });
  await stage.arrived(LONG_WORKERS);
}

/** What goes wrong before anything leaves the gateway, or is the gateway's to say. */
export const GATEWAY_FAULTS: readonly FaultCase[] = [
  {
    kind: 'unauthorized',
    what: 'no credential',
    ways: ALL_WAYS,
    question: { token: '' },
    tells: 'a bearer token or a client certificate of the hub is required',
    isNamed: false,
  },
  {
    kind: 'unauthorized',
    what: 'a token that the hub does not know',
    ways: ALL_WAYS,
    question: { token: 'nobody' },
    tells: 'the hub does not know this token',
    isNamed: false,
  },
  {
    kind: 'forbidden',
    what: 'no right at the hub',
    ways: ALL_WAYS,
    question: { token: 'mallory' },
    tells: /"c1" is forbidden: User "mallory" cannot (list|get|create) resource "clustertunnels\/proxy"/,
    isNamed: false,
  },
  {
    kind: 'not_found',
    what: 'an unknown tunnel, to who may use all',
    ways: ALL_WAYS,
    question: { tunnel: 'nowhere' },
    tells: 'clustertunnels.clustertunnel.io "nowhere" not found',
    isNamed: false,
  },
  {
    kind: 'bad_request',
    what: 'a path that two parsers read differently',
    ways: ALL_WAYS,
    question: { path: '/api/v1/namespaces/../secrets' },
    tells: 'means another place once decoded',
    isNamed: false,
  },
  {
    kind: 'bad_request',
    what: 'an upgrade to what no API server speaks',
    ways: ['upgrade'],
    question: { headers: { Upgrade: 'h2c' } },
    tells: 'an upgrade is to one of websocket, SPDY/3.1',
    isNamed: false,
  },
  {
    kind: 'malformed',
    what: 'a connection that names who asks as its own',
    ways: ['http/1.1'],
    question: { headers: { Connection: 'Authorization' } },
    tells: /Connection/,
    isNamed: false,
  },
  {
    kind: 'method_not_allowed',
    what: 'a method that no API server knows',
    ways: REQUESTS,
    question: { method: 'TRACE' },
    tells: 'method TRACE is not served here',
    isNamed: false,
  },
  {
    kind: 'headers_too_large',
    what: 'too many header lines',
    ways: ALL_WAYS,
    question: {
      headers: Object.fromEntries(Array.from({ length: MAX_HEADER_LINES + 1 }, (_, at) => [`x-h${at}`, 'x'])),
    },
    tells: /\d+ header lines, allowed \d+/,
    isNamed: false,
  },
  {
    kind: 'auth_unavailable',
    what: 'the hub’s reviews fail',
    ways: ALL_WAYS,
    provoke: ({ path: { gateway } }, ask) => {
      gateway.reviewToken = () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1:443'));
      return ask();
    },
    tells: 'the hub cannot authenticate requests now',
    isNamed: false,
  },
  {
    kind: 'rate_limited',
    what: 'an address that guesses tokens',
    ways: ALL_WAYS,
    options: { failedLoginsPerSecond: 1 },
    provoke: async (stage, ask) => {
      for (let at = 0; at < FAILED_LOGINS; at++) await stage.ask('h2', { token: `guess-${at}` });
      return ask();
    },
    tells: 'too many log-ins from this address failed',
    isNamed: false,
  },
  {
    kind: 'queue_full',
    what: 'too many log-ins of one address wait for the hub',
    ways: ALL_WAYS,
    provoke: async (stage, ask) => {
      await crowdTheDoor(stage);
      const told = await ask();
      stage.path.gateway.clock.advance(5_000);
      return told;
    },
    tells: /log-ins wait for the hub/,
    isNamed: false,
  },
  {
    kind: 'queue_full',
    what: 'too many requests wait for one tunnel',
    ways: ['h2'],
    question: { method: 'POST' },
    provoke: async (stage, ask) => {
      await stage.path.break();
      await fillTheQueue(stage);
      const told = await ask();
      stage.path.gateway.clock.advance(SETTINGS.timeouts.disconnectGraceMs);
      return told;
    },
    tells: '2000 requests wait for tunnel "c1"',
    isNamed: true,
  },
  {
    kind: 'queue_timeout',
    what: 'no worker came free within timeouts.request',
    ways: ALL_WAYS,
    options: { settings: FEW_WORKERS },
    question: { path: '/api/v1/namespaces/default/pods/web/exec?follow=true&watch=true' },
    provoke: async (stage, ask) => {
      await takeAllWorkers(stage);
      const told = ask();
      await stage.waits();
      await stage.path.gateway.pass(requestMs);
      return told;
    },
    tells: 'no worker of tunnel "c1" became free in time',
    isNamed: true,
    executed: LONG_WORKERS,
  },
  {
    kind: 'draining',
    what: 'a gateway that leaves',
    ways: ALL_WAYS,
    provoke: async ({ path: { gateway } }, ask) => {
      const { reviewToken } = gateway;
      // A connection that is there already, and a request that comes only now: its verdict is waited for.
      let goOn: () => void = () => {};
      gateway.reviewToken = async (...asked) => {
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        return reviewToken(...asked);
      };
      const told = ask();
      await until(() => gateway.reviewed.tokens.length === 1);
      void gateway.gateway.drain(new AbortController().signal);
      goOn();
      return told;
    },
    tells: 'this gateway is leaving',
    isNamed: true,
  },
  {
    kind: 'request_timeout',
    what: 'timeouts.request is over',
    ways: REQUESTS,
    options: { settings: { ...SETTINGS, timeouts: { ...SETTINGS.timeouts, requestMs: 5_000 } } },
    question: { method: 'POST', body: '{}' },
    provoke: async (stage, ask) => {
      stage.path.upstream.answer = () => {};
      const told = ask();
      await stage.arrived();
      stage.path.gateway.clock.advance(5_000);
      return told;
    },
    tells: /tunnel "c1".*did not complete within 5 s; the request may have been executed/,
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'backpressure_timeout',
    what: 'an agent that says so before any answer',
    ways: ALL_WAYS,
    question: { tunnel: 'c2' },
    provoke: async ({ path: { gateway } }, ask) => {
      gateway.addTunnel('c2');
      await gateway.agent({
        tunnel: 'c2',
        serve: ({ stream }) => stream.reset(ErrorCode.Backpressure, 'nobody read the answer'),
      });
      return ask();
    },
    tells: 'tunnel "c2"',
    isNamed: true,
    played: 'our agent says so only of an answer that has begun: see after-the-head.test.ts',
  },
  {
    kind: 'internal',
    what: 'a bug',
    ways: ALL_WAYS,
    provoke: async ({ path: { gateway } }, ask) => {
      gateway.views.get = () => {
        throw new TypeError('a bug that knows a secret');
      };
      const told = await ask();
      Reflect.deleteProperty(gateway.views, 'get');
      return told;
    },
    tells: 'the gateway failed; its log has the trace id',
    isNamed: false,
    played: 'there is no bug that is known: the list of tunnels throws',
  },
];
