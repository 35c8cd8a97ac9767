import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import { Admission } from './admission/admit.ts';
import { Breaker, type CircuitSample } from './admission/breaker.ts';
import { Rates } from './admission/rates.ts';
import { Replays } from './admission/replays.ts';
import type { Rate } from './admission/token-bucket.ts';
import { Cache, type CacheCounts } from './cache/cache.ts';
import { countAll, type GatewayCounts } from './counts.ts';
import { drain } from './drain.ts';
import { type FallbackSample, Fallbacks } from './fallback/fallbacks.ts';
import type { FindTarget } from './fallback/target.ts';
import { Authenticator, type ReviewToken } from './front/authenticate.ts';
import { Authorizer, type ReviewAccess } from './front/authorize.ts';
import { CertificateLogins } from './front/certificate-logins.ts';
import { Clusters } from './front/clusters.ts';
import { FailedLogins } from './front/failed-logins.ts';
import { Forwarder } from './front/forward.ts';
import { Gate } from './front/gate.ts';
import { Handler } from './front/handler.ts';
import { LongStreams } from './front/long-streams.ts';
import { type ServingCertificate, startServer } from './front/server.ts';
import type { TunnelError } from './front/tunnel-error.ts';
import { UsableTunnels } from './front/usable-tunnels.ts';
import { type HealthSample, healthSample } from './health/samples.ts';
import { type AskThrough, type LookCounts, Ways } from './health/ways.ts';
import { type InForce, inForce } from './in-force.ts';
import { type GatewayMeter, NO_METER } from './meter.ts';
import type { FindAgentKey } from './sessions/agent-token.ts';
import { BudgetShares } from './sessions/budget-shares.ts';
import { Hub } from './sessions/hub.ts';
import { oneProbeEach } from './sessions/probe.ts';
import { Registry, type TunnelFacts } from './sessions/registry.ts';
import type { Tunnels, TunnelView } from './sessions/tunnels.ts';
import { Unsettled } from './sessions/unsettled.ts';

export interface GatewayOptions {
  readonly host: string;
  readonly port: number;
  /** Whether clients may speak HTTP/2; they may unless told. */
  readonly http2?: boolean;
  readonly certificate: ServingCertificate;
  /** Under which users reach it: https://host[:port]. */
  readonly externalUrl: string;
  /** Sum of receive windows of this process, in bytes; the cache holds at most half as much again. */
  readonly maxBufferBytes: number;
  readonly replicaId: string;
  readonly tunnels: Tunnels;
  readonly findKey: FindAgentKey;
  /** Of spec.fallback; without it no tunnel has one. */
  readonly findFallback?: FindTarget;
  readonly reviewToken: ReviewToken;
  readonly reviewAccess: ReviewAccess;
  /** Of web pages that may ask, beside the gateway's own: https://host[:port]. */
  readonly allowedOrigins?: readonly string[];
  /** Tokens must be for one of these; none: for the hub's API server. */
  readonly tokenAudiences?: readonly string[];
  /** Unknown tokens that one address may try a second, in the long run; any number unless told. */
  readonly failedLoginsPerSecond?: number;
  /** Of each user over all tunnels; any unless told. */
  readonly userRate?: Rate | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** How long the head of a request may take; 10 s unless told. */
  readonly headTimeoutMs?: number;
  /** A request was answered by the gateway itself, for the cause of this code. */
  readonly onRefused?: (code: string) => void;
  readonly meter?: GatewayMeter;
  /** What is known of a tunnel's sessions changed. */
  readonly onTunnelChange: (tunnel: string) => void;
}

export interface Gateway {
  readonly port: number;
  facts(tunnel: string): TunnelFacts;
  counts(): GatewayCounts;
  /** Of the sum of receive windows: --max-buffer-bytes. */
  readonly maxBufferBytes: number;
  /** How many requests wait for each tunnel that there is. */
  waiting(): ReadonlyMap<string, number>;
  /** What bounds each tunnel now. */
  inForce(): InForce[];
  /** How long streams had bytes and no credit, summed over streams. */
  starvedMs(): number;
  /** What is remembered of all tunnels. */
  cached(): CacheCounts;
  /** Of every tunnel. */
  circuits(): CircuitSample[];
  /** Of every tunnel whose agents have said something. */
  healthSamples(): HealthSample[];
  /** How this gateway's looks at the ways ended. */
  looks(): LookCounts;
  /** Requests that went without their tunnels. */
  fallbacks(): FallbackSample[];
  /** The Secret of a tunnel's spec.fallback changed. */
  fallbackChanged(tunnel: string): void;
  /** A tunnel's spec changed: running agents are told. */
  tunnelChanged(tunnel: string): void;
  setCertificate(certificate: ServingCertificate): void;
  /** PEM bundle of the authorities whose client certificates are log-ins; before the first they are neither good nor bad. */
  setClientAuthorities(pem: string): void;
  /** Lets running requests finish until the signal aborts, then cuts the rest. */
  drain(signal: AbortSignal): Promise<void>;
}

/** The exposed half of the operator: clients on one side, agents on the other. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { clock, random, log, tunnels, certificate, host, port, externalUrl, allowedOrigins = [] } = options;
  const { budget, cache, registry, breaker, ways, admission, unsettled, hub, fallbacks } = innerParts(options);
  const certificates = new CertificateLogins(clock);
  const gate = gateFor(options, certificates);
  const usable = new UsableTunnels({ gate, tunnels, clock });
  const clusters = new Clusters({ gate, usable, registry, externalUrl, allowedOrigins });
  const longStreams = new LongStreams({ clock, random, log });
  const rates = new Rates({ clock, perUser: options.userRate });
  const meter = options.meter ?? NO_METER;
  const replays = new Replays();
  const parts = { admission, rates, unsettled, replays, breaker, ways, cache, fallbacks, longStreams, meter };
  const forwarder = new Forwarder({ ...parts, clock, random, log });
  const onRefused = ({ code }: TunnelError) => options.onRefused?.(code);
  const handler = new Handler({ gate, clusters, forwarder, onRefused, clock, log });
  const server = await startServer({
    host,
    port,
    certificate,
    http2: options.http2,
    clock,
    log,
    headTimeoutMs: options.headTimeoutMs,
    onRequest: (request, response) => handler.handle(request, response),
    onUpgrade: (request, socket, head) => handler.upgrade(request, socket, head),
    onAgent: (request, socket, head) => hub.accept(request, socket, head),
  });
  const counts = () => countAll({ registry, hub, handler, admission, unsettled, fallbacks, server, budget });
  return {
    port: server.port,
    facts: (tunnel) => {
      const of = { circuit: breaker.facts(tunnel), way: ways.facts(tunnel), fallback: fallbacks.facts(tunnel) };
      const known = Object.entries(of).filter(([, fact]) => fact !== undefined);
      return { ...registry.facts(tunnel), ...Object.fromEntries(known) };
    },
    counts,
    maxBufferBytes: options.maxBufferBytes,
    waiting: () => waitingFor(tunnels, admission),
    inForce: () => inForce(tunnels, registry),
    starvedMs: () => hub.starvedMs,
    cached: () => cache.counts,
    circuits: () => tunnels.list().map(({ name }) => breaker.sample(name)),
    healthSamples: () => tunnels.list().flatMap(({ name }) => healthSample(name, registry.facts(name).links) ?? []),
    looks: () => ways.counts,
    fallbacks: () => fallbacks.samples(),
    fallbackChanged: (name) => fallbacks.changed(name),
    tunnelChanged: (name) => {
      const view = tunnels.get(name);
      tunnelChanged(name, view, { hub, admission, registry });
      longStreams.tunnelChanged(name, view);
      breaker.tunnelChanged(name);
      ways.tunnelChanged(name);
      cache.tunnelChanged(name, view);
      fallbacks.changed(name);
    },
    setCertificate: (next) => server.setCertificate(next),
    setClientAuthorities: (pem) => certificates.setAuthorities(pem),
    drain: async (signal) => {
      await drain({ server, handler, admission, longStreams, hub, clock }, signal);
      await fallbacks.close();
    },
  };
}

function waitingFor(tunnels: Tunnels, admission: Admission): ReadonlyMap<string, number> {
  return new Map(tunnels.list().map(({ name }) => [name, admission.waitingFor(name)]));
}

/** What knows of sessions and of who waits for them. */
function innerParts(options: GatewayOptions) {
  const { clock, random, tunnels, maxBufferBytes, meter = NO_METER } = options;
  const budget = new Budget(maxBufferBytes);
  const cache = new Cache(clock, maxBufferBytes);
  const registry = registryFor(options, (tunnel) => {
    cache.forget(tunnel);
    ways.forget(tunnel);
  });
  const ask = oneProbeEach((tunnel) => registry.facts(tunnel).links, clock);
  const breaker = breakerFor(options, ask, (tunnel) => admission.changed(tunnel));
  const admission: Admission = new Admission({
    ...{ registry, tunnels, budget, breaker, clock, random },
    onWaited: (tunnel, waitedMs) => meter.waited(tunnel, waitedMs),
  });
  const ways: Ways = waysFor(options, { registry, breaker, admission, ask });
  const budgets = new BudgetShares(budget);
  const fallbacks = fallbacksFor(options, { budget, budgets });
  budget.onFreed = () => {
    admission.freed();
    fallbacks.freed();
  };
  const unsettled = new Unsettled(clock);
  const onRoom = (tunnel: string) => {
    admission.changed(tunnel);
    breaker.roomCame(tunnel);
    ways.roomCame(tunnel);
  };
  const hub = new Hub({ ...options, registry, unsettled, budgets, meter, onRoom });
  return { budget, cache, registry, breaker, ways, admission, unsettled, hub, fallbacks };
}

const NO_TARGET: ReturnType<FindTarget> = { trouble: { reason: 'KubeconfigMissing', message: 'No Secrets are read.' } };

function fallbacksFor(
  { tunnels, findFallback, clock, log, onTunnelChange }: GatewayOptions,
  memory: { readonly budget: Budget; readonly budgets: BudgetShares },
): Fallbacks {
  const findTarget = findFallback ?? (() => NO_TARGET);
  return new Fallbacks({ tunnels, findTarget, ...memory, clock, log, onChange: onTunnelChange });
}

/** `forget`: what is remembered of a tunnel goes with its last session. */
function registryFor({ clock, onTunnelChange }: GatewayOptions, forget: (tunnel: string) => void): Registry {
  const registry: Registry = new Registry(clock, (tunnel) => {
    // Whoever comes next may be in front of another API server.
    if (registry.facts(tunnel).links.length === 0) forget(tunnel);
    onTunnelChange(tunnel);
  });
  return registry;
}

/** `wake`: who waits for this tunnel is told. */
function breakerFor(options: GatewayOptions, ask: AskThrough, wake: (tunnel: string) => void): Breaker {
  return new Breaker({
    ...options,
    ask,
    onChange: (tunnel) => {
      // Not from inside the event that told of it.
      queueMicrotask(() => wake(tunnel));
      options.onTunnelChange(tunnel);
    },
  });
}

interface Watched {
  readonly registry: Registry;
  readonly breaker: Breaker;
  readonly admission: Admission;
  readonly ask: AskThrough;
}

function waysFor(options: GatewayOptions, { registry, breaker, admission, ask }: Watched): Ways {
  return new Ways({
    ...options,
    isConnected: (tunnel) => registry.facts(tunnel).links.some(({ session }) => session.isOpen),
    isAwaited: (tunnel) => admission.isAwaited(tunnel),
    isCircuitOpen: (tunnel) => breaker.state(tunnel) !== 'closed',
    ask,
    onChange: options.onTunnelChange,
  });
}

/** Who may come in, by what the hub says. */
function gateFor(options: GatewayOptions, certificates: CertificateLogins): Gate {
  const { tunnels, clock, log, reviewToken: review, tokenAudiences: audiences = [] } = options;
  const failedLogins = new FailedLogins({ clock, perSecond: options.failedLoginsPerSecond ?? 0 });
  const authenticator = new Authenticator({ review, audiences, failedLogins, clock });
  const authorizer = new Authorizer(options.reviewAccess, clock);
  const { allowedOrigins = [] } = options;
  return new Gate({ authenticator, certificates, authorizer, tunnels, allowedOrigins, clock, log });
}

function tunnelChanged(
  name: string,
  view: TunnelView | undefined,
  { hub, admission, registry }: { readonly hub: Hub; readonly admission: Admission; readonly registry: Registry },
): void {
  if (view === undefined) {
    hub.drop(name, 'the tunnel was deleted');
    admission.clear(name);
    registry.forget(name);
  } else if (view.isDeleting || view.isSuspended) {
    hub.retire(view, view.isDeleting ? 'the tunnel is being deleted' : 'the tunnel is suspended');
    admission.clear(name);
  } else {
    hub.configure(view);
    // Who waited may have room now.
    admission.changed(name);
  }
}
