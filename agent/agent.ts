import { randomUUID } from 'node:crypto';
import type { AgentSettings } from '../crds/agent-settings.ts';
import { systemClock } from '../process/clock.ts';
import type { Logger } from '../process/log.ts';
import { type OpsServer, startOpsServer } from '../process/ops-server.ts';
import { Budget } from '../tunnel/flow/budget.ts';
import { websocketTransport } from '../tunnel/session/websocket.ts';
import { Upstream } from '../upstream/upstream.ts';
import { filesToAppear, readGatewayCredentials, ServiceAccount } from './credentials.ts';
import { connectGateway } from './dial.ts';
import { Dialer } from './dialer.ts';
import type { AgentConfig } from './flags.ts';
import { gaugesOf } from './gauges.ts';
import { Health } from './health.ts';
import { defaultSettings, Limits } from './limits.ts';
import { bringSettings } from './live-settings.ts';
import { type AgentGauges, AgentMetrics } from './metrics.ts';
import { probe, probeIdentity } from './probe.ts';
import { Server } from './serve.ts';
import type { WorkerPools } from './session-slots.ts';
import { WorkerPool } from './worker-pool.ts';

/** Requests that may wait here: those that were under way when a limit shrank. */
const QUEUE_LIMIT = 8;
/** CONFIG has no room for spec.health.timeout, which is about the gateways' probes. */
const PROBE_TIMEOUT_MS = 5_000;
/** What an API server that says 401 does not accept. */
const CREDENTIAL = "the agent's own token";

/** A running agent. */
export interface Agent {
  /** Of the probes and metrics. */
  readonly opsPort: number;
  /** How long `stop` should be given: timeouts.drain as it was when asked. */
  readonly drainMs: number;
  /** Counters, as at /debug/state. */
  state(): AgentState;
  /** Leaves the gateway; running streams finish until `signal` is aborted. */
  stop(signal: AbortSignal): Promise<void>;
}

export interface AgentState extends AgentGauges {
  readonly dial: string;
  readonly streams: number;
  readonly queuedBytes: number;
  readonly bufferedStreamBytes: number;
  /** Of the newest session's last heartbeat; undefined before the first. */
  readonly rttMs: number | undefined;
  readonly granted: { readonly ordinary: number; readonly longRunning: number };
  readonly generation: number;
  /** Limits, timeouts and the like as they are in force. */
  readonly settings: Omit<AgentSettings, 'access' | 'generation' | 'tunnelUid'>;
  readonly upstream: string;
}

/** Puts the parts together and starts them. @throws when the probe port cannot be opened. */
export async function startAgent(config: AgentConfig, log: Logger): Promise<Agent> {
  const parts = assemble(config, log);
  const { dialer, health, upstream, metrics, limits, gateway } = parts;
  const ops: OpsServer = await startOpsServer({
    host: config.bindAddress,
    port: config.opsPort,
    live: () => undefined,
    ready: () => (dialer.ready === undefined ? `no session with the gateway: ${dialer.state}` : undefined),
    metrics: () => metrics.render(),
    state: () => stateOf(parts),
  });
  health.start();
  dialer.start();
  return {
    opsPort: ops.port,
    get drainMs() {
      return limits.current.timeouts.drainMs;
    },
    state: () => stateOf(parts),
    async stop(signal) {
      await dialer.stop(signal);
      await gateway.closed();
      health.stop();
      await upstream.close();
      await ops.close();
      metrics.close();
    },
  };
}

type Parts = ReturnType<typeof assemble>;

function assemble(config: AgentConfig, log: Logger) {
  const clock = systemClock;
  const initial = settingsFrom(config);
  const pools = poolsFor(initial);
  const budget = new Budget(initial.limits.maxBufferBytes);
  const { connectMs } = initial.timeouts;
  const upstream = new Upstream({ url: config.upstreamUrl, ca: undefined, connectMs, clock });
  const account = new ServiceAccount({
    folder: config.serviceAccountFolder,
    clock,
    onCa: (ca) => upstream.reconfigure({ ca }),
  });
  const limits = new Limits(initial, (settings) => {
    bringSettings(settings, { pools, budget, upstream, sessions: dialer.sessions });
    health.reschedule();
  });
  const metrics = new AgentMetrics(() => ({
    ...gaugesOf({ dialer, pools, budget, upstream }),
    starvedMs: server.starvedMs,
  }));
  const asking = { upstream, token: () => account.token(), onUnauthorized: () => account.expire(), clock };
  const server: Server = new Server({
    context: { ...asking, credential: CREDENTIAL, timeouts: () => limits.current.timeouts },
    pools,
    limits,
    budget,
    clock,
    random: Math.random,
    log,
    instanceId: randomUUID(),
    onExchangeEnd: (end, workedMs) => metrics.exchangeEnded(end, workedMs),
    onDeflated: (bytes) => metrics.deflated(bytes),
  });
  const health = new Health({
    probe: (signal) =>
      probe({ ...asking, timeoutMs: PROBE_TIMEOUT_MS, identity: () => probeIdentity(limits.current.access) }, signal),
    lastAnswerMs: () => (needsProbes(limits) ? undefined : server.lastAnswerMs),
    intervalMs: () => limits.current.health.intervalMs,
    counts: () => ({ ...workOf(pools), upstreamErrors: metrics.upstreamErrors }),
    send: (report) => dialer.ready?.health(report),
    clock,
    log,
  });
  const gateway = gatewayDoor(config, log);
  const dialer: Dialer = new Dialer({
    connect: gateway.connect,
    hasNewCredential: gateway.hasNewCredential,
    open: (transport, introduction, events) => server.open(transport, introduction, events),
    backoff: () => backoffOf(limits.current),
    clock,
    random: Math.random,
    log,
    onReady: () => health.report(),
    onDialed: (result) => metrics.dialed(result),
  });
  return { dialer, health, upstream, metrics, limits, pools, budget, gateway };
}

/** Users without extras show nothing of those who have some. */
function needsProbes({ current }: Limits): boolean {
  return current.access.extras.length > 0;
}

/** One attempt after another: files, then the WebSocket. */
function gatewayDoor(config: AgentConfig, log: Logger) {
  const { gatewayUrl, proxyUrl, tokenFile, caFile } = config;
  const sockets = new Set<Promise<void>>();
  let lastToken = '';
  return {
    /** Resolves when the last byte of every ended session is out: ws bounds its closing handshake. */
    async closed() {
      await Promise.all(sockets);
    },
    async connect(signal: AbortSignal) {
      const onMissing = (path: string) => log.info('waiting for a file to appear', { path });
      await filesToAppear([tokenFile, caFile], systemClock, onMissing, signal);
      const credentials = await readGatewayCredentials({ tokenFile, caFile });
      lastToken = credentials.token;
      const socket = await connectGateway({ gatewayUrl, proxyUrl, credentials, clock: systemClock }, signal);
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      sockets.add(closed);
      void closed.then(() => sockets.delete(closed));
      return websocketTransport(socket);
    },
    async hasNewCredential() {
      return (await readGatewayCredentials({ tokenFile, caFile })).token !== lastToken;
    },
  };
}

/** The CRD's defaults, with the delays that the flags name: they count before the first CONFIG. */
function settingsFrom({ minBackoffMs, maxBackoffMs }: AgentConfig): AgentSettings {
  return { ...defaultSettings(), reconnect: { minBackoffMs, maxBackoffMs } };
}

function backoffOf({ reconnect }: AgentSettings) {
  return { minMs: reconnect.minBackoffMs, maxMs: reconnect.maxBackoffMs };
}

function workOf({ ordinary, longRunning }: WorkerPools) {
  return { inFlight: ordinary.running + longRunning.running, queued: ordinary.queued + longRunning.queued };
}

function poolsFor({ limits }: AgentSettings): WorkerPools {
  return {
    ordinary: new WorkerPool({ limit: limits.maxConcurrentRequests, queueLimit: QUEUE_LIMIT }),
    longRunning: new WorkerPool({ limit: limits.maxLongRunningRequests, queueLimit: QUEUE_LIMIT }),
  };
}

function stateOf(parts: Parts): AgentState {
  const { limits, timeouts, reconnect, compression, health } = parts.limits.current;
  const counts = [...parts.dialer.sessions].map(({ session }) => session.counts);
  const sum = (read: (of: (typeof counts)[number]) => number) => counts.reduce((total, each) => total + read(each), 0);
  return {
    ...gaugesOf(parts),
    dial: parts.dialer.state,
    streams: sum((each) => each.streams),
    queuedBytes: sum((each) => each.queuedBytes),
    bufferedStreamBytes: sum((each) => each.bufferedBytes),
    rttMs: parts.dialer.ready?.session.vitals.rttMs,
    granted: { ordinary: parts.pools.ordinary.granted, longRunning: parts.pools.longRunning.granted },
    generation: parts.limits.current.generation,
    settings: { limits, timeouts, reconnect, compression, health },
    upstream: parts.health.result?.reason ?? 'Unknown',
  };
}
