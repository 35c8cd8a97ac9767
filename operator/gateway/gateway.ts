import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import { Admission } from './admission/admit.ts';
import { Breaker, type CircuitSample } from './admission/breaker.ts';
import { Replays } from './admission/replays.ts';
import { Cache, type CacheCounts } from './cache/cache.ts';
import { Authenticator, type ReviewToken } from './front/authenticate.ts';
import { Authorizer, type ReviewAccess } from './front/authorize.ts';
import { CertificateLogins } from './front/certificate-logins.ts';
import { Clusters } from './front/clusters.ts';
import { FailedLogins } from './front/failed-logins.ts';
import { Forwarder } from './front/forward.ts';
import { Gate } from './front/gate.ts';
import { Handler } from './front/handler.ts';
import { LongStreams } from './front/long-streams.ts';
import { type GatewayServer, type ServingCertificate, startServer } from './front/server.ts';
import { UsableTunnels } from './front/usable-tunnels.ts';
import type { FindAgentKey } from './sessions/agent-token.ts';
import { Hub } from './sessions/hub.ts';
import { probeThrough } from './sessions/probe.ts';
import { Registry, type TunnelFacts } from './sessions/registry.ts';
import type { Tunnels, TunnelView } from './sessions/tunnels.ts';
import { Unsettled } from './sessions/unsettled.ts';
import { WATCH_ENDS_WITHIN_MS } from './sessions/watch-end.ts';

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
  readonly reviewToken: ReviewToken;
  readonly reviewAccess: ReviewAccess;
  /** Of web pages that may ask, beside the gateway's own: https://host[:port]. */
  readonly allowedOrigins?: readonly string[];
  /** Tokens must be for one of these; none: for the hub's API server. */
  readonly tokenAudiences?: readonly string[];
  /** Unknown tokens that one address may try a second, in the long run; any number unless told. */
  readonly failedLoginsPerSecond?: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** How long the head of a request may take; 10 s unless told. */
  readonly headTimeoutMs?: number;
  /** What is known of a tunnel's sessions changed. */
  readonly onTunnelChange: (tunnel: string) => void;
}

/** What is alive at this gateway: all zero, but sessions and connections, when nobody asks for anything. */
export interface GatewayCounts {
  readonly sessions: number;
  readonly greeting: number;
  readonly requests: number;
  readonly waiting: number;
  /** Requests whose session was lost, until their agent says whether it saw them. */
  readonly unsettled: number;
  readonly streams: number;
  readonly queuedBytes: number;
  readonly bufferedBytes: number;
  readonly budgetBytes: number;
  readonly connections: number;
}

export interface Gateway {
  readonly port: number;
  facts(tunnel: string): TunnelFacts;
  counts(): GatewayCounts;
  /** What is remembered of all tunnels. */
  cached(): CacheCounts;
  /** Of every tunnel. */
  circuits(): CircuitSample[];
  /** A tunnel's spec changed: running agents are told. */
  tunnelChanged(tunnel: string): void;
  setCertificate(certificate: ServingCertificate): void;
  /** PEM bundle of the authorities whose client certificates are log-ins; before the first they are neither good nor bad. */
  setClientAuthorities(pem: string): void;
  /** Lets running requests finish until the signal aborts, then cuts the rest. */
  drain(signal: AbortSignal): Promise<void>;
}

/** How often a draining gateway looks whether everything has finished. */
const DRAIN_POLL_MS = 50;

/** The exposed half of the operator: clients on one side, agents on the other. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { clock, random, log, tunnels, certificate, host, port, externalUrl, allowedOrigins = [] } = options;
  const budget = new Budget(options.maxBufferBytes);
  const cache = new Cache(clock, options.maxBufferBytes);
  const registry = registryFor(options, cache);
  const breaker = breakerFor(options, registry, (tunnel) => admission.changed(tunnel));
  const admission: Admission = new Admission({ registry, tunnels, breaker, clock, random });
  const unsettled = new Unsettled(clock);
  const onRoom = (tunnel: string) => {
    admission.changed(tunnel);
    breaker.roomCame(tunnel);
  };
  const hub = new Hub({ ...options, registry, unsettled, budget, onRoom });
  const certificates = new CertificateLogins(clock);
  const gate = gateFor(options, certificates);
  const usable = new UsableTunnels({ gate, tunnels, clock });
  const clusters = new Clusters({ gate, usable, registry, externalUrl, allowedOrigins });
  const longStreams = new LongStreams({ clock, random, log });
  const replays = new Replays();
  const parts = { admission, unsettled, replays, breaker, cache, longStreams, budget };
  const forwarder = new Forwarder({ ...parts, clock, random, log });
  const handler = new Handler({ gate, clusters, forwarder, clock, log });
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
  const counts = () => countAll({ registry, hub, handler, admission, unsettled, server, budget });
  return {
    port: server.port,
    facts: (tunnel) => {
      const circuit = breaker.facts(tunnel);
      return { ...registry.facts(tunnel), ...(circuit === undefined ? {} : { circuit }) };
    },
    counts,
    cached: () => cache.counts,
    circuits: () => tunnels.list().map(({ name }) => breaker.sample(name)),
    tunnelChanged: (name) => {
      const view = tunnels.get(name);
      tunnelChanged(name, view, { hub, admission, registry });
      longStreams.tunnelChanged(name, view);
      breaker.tunnelChanged(name);
      cache.tunnelChanged(name, view);
    },
    setCertificate: (next) => server.setCertificate(next),
    setClientAuthorities: (pem) => certificates.setAuthorities(pem),
    drain: (signal) => drain({ server, handler, admission, longStreams, hub, clock }, signal),
  };
}

type Leaving = Pick<Parts, 'server' | 'handler' | 'admission' | 'hub'> & {
  readonly longStreams: LongStreams;
  readonly clock: Clock;
};

/** Who comes is told to go elsewhere; what runs has until the signal aborts. */
async function drain({ server, handler, admission, longStreams, hub, clock }: Leaving, signal: AbortSignal) {
  /** Resolves when no request runs, or when it is enough. */
  const idle = async (isEnough: () => boolean) => {
    while (!isEnough() && handler.active > 0) {
      await new Promise<void>((resolve) => clock.after(DRAIN_POLL_MS, resolve));
    }
  };
  server.drain();
  handler.drain();
  admission.drain();
  longStreams.drain();
  hub.drain();
  await idle(() => signal.aborted);
  hub.close();
  // Watches end cleanly now, spread over a moment; a reset would make every informer list again.
  const endMs = clock.nowMs() + WATCH_ENDS_WITHIN_MS + DRAIN_POLL_MS;
  await idle(() => clock.nowMs() >= endMs);
  await server.close();
}

/** What is remembered of a tunnel goes with its last session. */
function registryFor({ clock, onTunnelChange }: GatewayOptions, cache: Cache): Registry {
  const registry: Registry = new Registry(clock, (tunnel) => {
    // Whoever comes next may be in front of another API server.
    if (registry.facts(tunnel).links.length === 0) cache.forget(tunnel);
    onTunnelChange(tunnel);
  });
  return registry;
}

/** `wake`: who waits for this tunnel is told. */
function breakerFor(options: GatewayOptions, registry: Registry, wake: (tunnel: string) => void): Breaker {
  return new Breaker({
    ...options,
    ask: (view, timeoutMs, hear) => probeThrough(registry.facts(view.name).links, view, timeoutMs, hear),
    onChange: (tunnel) => {
      // Not from inside the event that told of it.
      queueMicrotask(() => wake(tunnel));
      options.onTunnelChange(tunnel);
    },
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
  { hub, admission, registry }: Pick<Parts, 'hub' | 'admission' | 'registry'>,
): void {
  if (view === undefined) {
    hub.drop(name, 'the tunnel was deleted');
    admission.clear(name);
    registry.forget(name);
  } else if (view.isDeleting || view.isSuspended) {
    hub.retire(view, view.isDeleting ? 'the tunnel is being deleted' : 'the tunnel is suspended');
    admission.clear(name);
  } else hub.configure(view);
}

interface Parts {
  readonly registry: Registry;
  readonly hub: Hub;
  readonly handler: Handler;
  readonly admission: Admission;
  readonly unsettled: Unsettled;
  readonly server: GatewayServer;
  readonly budget: Budget;
}

function countAll({ registry, hub, handler, admission, unsettled, server, budget }: Parts): GatewayCounts {
  const links = registry.all();
  const sum = (of: (counts: { streams: number; queuedBytes: number; bufferedBytes: number }) => number) =>
    links.reduce((total, { session }) => total + of(session.session.counts), 0);
  return {
    sessions: links.length,
    greeting: hub.greeting,
    requests: handler.active,
    waiting: admission.waiting,
    unsettled: unsettled.size,
    streams: sum(({ streams }) => streams),
    queuedBytes: sum(({ queuedBytes }) => queuedBytes),
    bufferedBytes: sum(({ bufferedBytes }) => bufferedBytes),
    budgetBytes: budget.usedBytes,
    connections: server.connections,
  };
}
