import { UNSAID_ACCESS } from '../../crds/access-settings.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../crds/circuit-breaker.ts';
import { UNSETTLED_MS } from '../../operator/gateway/sessions/unsettled.ts';
import { SETTINGS } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { ALL_WAYS, type FaultCase, type FaultStage, PODS, REQUESTS, WATCH } from './fault-stage.ts';

const WRITE = { method: 'POST', body: '{}' };
const { disconnectGraceMs } = SETTINGS.timeouts;
/** A watch is held for so long. */
const WATCH_HOLD_MS = 25_000;

/** The target takes requests, and says nothing. */
function fallSilent({ path: { upstream } }: FaultStage): void {
  upstream.answer = () => {};
  upstream.script = { instead: '' };
}

/** More requests at once than the agent has room for; it got less while the gateway was not told. */
async function crowdTheAgent(stage: FaultStage): Promise<void> {
  const { agent } = stage.path;
  fallSilent(stage);
  for (const pool of [agent.pools.ordinary, agent.pools.longRunning]) pool.limit = 1;
  const client = stage.client();
  for (let at = 0; at < 5; at++) {
    client.call({ path: `/clusters/c1${PODS}` });
    client.call({ path: `/clusters/c1${WATCH}` });
  }
  await until(() => agent.busy === 10);
}

/** Between gateway and agent. */
export const TUNNEL_FAULTS: readonly FaultCase[] = [
  {
    kind: 'cluster_reconnecting',
    what: 'a tunnel that is away, after disconnectGrace',
    ways: ALL_WAYS,
    provoke: async (stage, ask) => {
      await stage.path.break();
      const told = ask();
      await stage.waits();
      stage.path.gateway.clock.advance(disconnectGraceMs);
      return told;
    },
    tells: 'tunnel "c1" is reconnecting',
    isNamed: true,
  },
  {
    kind: 'cluster_offline',
    what: 'a tunnel that is away for a minute',
    ways: ALL_WAYS,
    provoke: async (stage, ask) => {
      await stage.path.break();
      stage.path.gateway.clock.advance(60_000);
      return ask();
    },
    tells: 'tunnel "c1" is not connected; see kubectl describe clustertunnel c1',
    isNamed: true,
  },
  {
    kind: 'cluster_offline',
    what: 'a tunnel that never connected',
    ways: ALL_WAYS,
    question: { tunnel: 'c2' },
    provoke: (stage, ask) => {
      stage.path.gateway.addTunnel('c2');
      return ask();
    },
    tells: 'tunnel "c2" is not connected',
    isNamed: true,
  },
  {
    kind: 'cluster_offline',
    what: 'a watch of a tunnel that never connected',
    ways: REQUESTS,
    question: { tunnel: 'c2', path: WATCH },
    provoke: (stage, ask) => {
      stage.path.gateway.addTunnel('c2');
      return ask();
    },
    tells: 'tunnel "c2" is not connected',
    isNamed: true,
  },
  {
    kind: 'cluster_offline',
    what: 'a suspended tunnel',
    ways: ALL_WAYS,
    provoke: (stage, ask) => {
      stage.path.gateway.addTunnel('c1', { isSuspended: true });
      return ask();
    },
    tells: 'tunnel "c1" is suspended: set spec.suspend to false to use it',
    isNamed: true,
  },
  {
    kind: 'watch_held',
    what: 'a watch that begins while the tunnel is away',
    ways: REQUESTS,
    question: { path: WATCH },
    provoke: async (stage, ask) => {
      await stage.path.break();
      const told = ask();
      await stage.waits();
      stage.path.gateway.clock.advance(WATCH_HOLD_MS - 1);
      await stage.waits();
      stage.path.gateway.clock.advance(1);
      return told;
    },
    // The fixture's dice fall in the middle of 2 to 8.
    retryAfter: 5,
    tells: 'tunnel "c1" is reconnecting',
    isNamed: true,
  },
  {
    kind: 'not_executed',
    what: 'a write that the agent never saw, by its own word',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: async ({ path }, ask) => {
      path.relay.hold();
      const told = ask();
      await until(() => path.relay.heldBytes > 0);
      await path.break();
      await until(() => path.gateway.counts.unsettled === 1);
      await path.mend();
      return told;
    },
    tells: /tunnel "c1" did not execute the request: .*its agent never saw the request/,
    isNamed: true,
  },
  {
    kind: 'session_lost_read',
    what: 'a session that is lost under a read, whose agent does not come back',
    ways: REQUESTS,
    provoke: async (stage, ask) => {
      fallSilent(stage);
      const told = ask();
      await stage.arrived();
      await stage.path.break();
      await stage.waits();
      stage.path.gateway.clock.advance(disconnectGraceMs);
      return told;
    },
    tells: /tunnel "c1" was lost while the request ran: /,
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'session_lost_read',
    what: 'a session that is lost under a read, and the next one too',
    ways: REQUESTS,
    provoke: async (stage, ask) => {
      fallSilent(stage);
      const told = ask();
      await stage.arrived();
      await stage.path.break();
      await stage.path.mend();
      await stage.arrived(2);
      await stage.path.break();
      return told;
    },
    tells: /tunnel "c1" was lost while the request ran: /,
    isNamed: true,
    executed: 2,
  },
  {
    kind: 'session_lost_write',
    what: 'a session that is lost under a write, whose agent saw it',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: async (stage, ask) => {
      fallSilent(stage);
      const told = ask();
      await stage.arrived();
      await stage.path.break();
      await stage.path.mend();
      return told;
    },
    tells: 'tunnel "c1" was lost while the request ran; the request may have been executed: ',
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'session_lost_write',
    what: 'a session that is lost under a write, whose agent does not come back',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: async (stage, ask) => {
      const { path } = stage;
      fallSilent(stage);
      const told = ask();
      await stage.arrived();
      await path.break();
      await until(() => path.gateway.counts.unsettled === 1);
      path.gateway.clock.advance(UNSETTLED_MS);
      return told;
    },
    tells: 'the request may have been executed',
    isNamed: true,
    executed: 1,
  },
];

/** The way fails again and again: the circuit opens. */
async function tripTheBreaker(stage: FaultStage): Promise<void> {
  await stage.path.upstream.close();
  for (let at = 0; at < DEFAULT_CIRCUIT_BREAKER.failureThreshold; at++) await stage.ask('h2');
}

/** After failures in a row. */
export const CIRCUIT_FAULTS: readonly FaultCase[] = [
  {
    kind: 'circuit_open',
    what: 'a request after five that could not reach the API server',
    ways: ALL_WAYS,
    provoke: async (stage, ask) => {
      await tripTheBreaker(stage);
      return ask();
    },
    retryAfter: 5,
    tells:
      /requests through tunnel "c1" failed too often and are not tried for a moment; the last: .*connection refused/,
    isNamed: true,
  },
  {
    kind: 'circuit_open',
    what: 'a write when the circuit may be tried by a read',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: async (stage, ask) => {
      await tripTheBreaker(stage);
      stage.path.gateway.clock.advance(DEFAULT_CIRCUIT_BREAKER.openMs);
      return ask();
    },
    retryAfter: 1,
    tells: 'requests through tunnel "c1" failed too often',
    isNamed: true,
  },
  {
    kind: 'circuit_open_watch',
    what: 'a watch that begins then',
    ways: REQUESTS,
    question: { path: WATCH },
    provoke: async (stage, ask) => {
      await tripTheBreaker(stage);
      return ask();
    },
    // The fixture's dice fall in the middle of 2 to 8.
    retryAfter: 5,
    tells: 'requests through tunnel "c1" failed too often',
    isNamed: true,
  },
];

/** What the agent says of itself. */
export const AGENT_FAULTS: readonly FaultCase[] = [
  {
    kind: 'stream_limit',
    what: 'an agent that got fewer workers while requests were on their way',
    ways: ALL_WAYS,
    provoke: async (stage, ask) => {
      await crowdTheAgent(stage);
      return ask();
    },
    tells: 'the agent of tunnel "c1" has no room for the request: no worker is free and the queue of the agent is full',
    isNamed: true,
    executed: 2,
  },
  {
    kind: 'policy_denied',
    what: 'a write, and the agent has heard before its gateway that the tunnel is read-only',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: ({ path }, ask) => {
      const access = { ...UNSAID_ACCESS, readOnly: true };
      path.agent.limits.apply({ ...SETTINGS, generation: 2, access });
      return ask();
    },
    tells: 'the agent of tunnel "c1" refused the request: ',
    isNamed: true,
  },
];
