import type { Admission } from './admission/admit.ts';
import type { CircuitSample } from './admission/breaker.ts';
import { Rates } from './admission/rates.ts';
import { Replays } from './admission/replays.ts';
import type { CacheCounts } from './cache/cache.ts';
import { countAll, type GatewayCounts } from './counts.ts';
import { drain } from './drain.ts';
import type { FallbackSample } from './fallback/fallbacks.ts';
import { Authenticator } from './front/authenticate.ts';
import { Authorizer } from './front/authorize.ts';
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
import type { GatewayOptions } from './gateway-options.ts';
import { type HealthSample, healthSample } from './health/samples.ts';
import type { LookCounts } from './health/ways.ts';
import { type InForce, inForce } from './in-force.ts';
import { NO_METER } from './meter.ts';
import { type Inner, innerParts } from './parts.ts';
import type { TunnelFacts } from './sessions/registry.ts';
import type { Tunnels, TunnelView } from './sessions/tunnels.ts';

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
  const inner = innerParts(options);
  const { budget, cache, registry, breaker, ways, admission, unsettled, hub, fallbacks } = inner;
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
    facts: (tunnel) => factsOf(tunnel, { registry, breaker, ways, fallbacks }),
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
    tunnelChanged: (name) => tellAll(name, tunnels.get(name), { ...inner, longStreams }),
    setCertificate: (next) => server.setCertificate(next),
    setClientAuthorities: (pem) => certificates.setAuthorities(pem),
    drain: async (signal) => {
      await drain({ server, handler, admission, longStreams, hub, clock }, signal);
      await fallbacks.close();
    },
  };
}

function factsOf(
  tunnel: string,
  { registry, breaker, ways, fallbacks }: Pick<Inner, 'registry' | 'breaker' | 'ways' | 'fallbacks'>,
): TunnelFacts {
  const of = { circuit: breaker.facts(tunnel), way: ways.facts(tunnel), fallback: fallbacks.facts(tunnel) };
  const known = Object.entries(of).filter(([, fact]) => fact !== undefined);
  return { ...registry.facts(tunnel), ...Object.fromEntries(known) };
}

function waitingFor(tunnels: Tunnels, admission: Admission): ReadonlyMap<string, number> {
  return new Map(tunnels.list().map(({ name }) => [name, admission.waitingFor(name)]));
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

type Told = Inner & { readonly longStreams: LongStreams };

/** A tunnel's spec changed. */
function tellAll(name: string, view: TunnelView | undefined, parts: Told): void {
  const { longStreams, breaker, ways, cache, fallbacks } = parts;
  tunnelChanged(name, view, parts);
  longStreams.tunnelChanged(name, view);
  breaker.tunnelChanged(name);
  ways.tunnelChanged(name);
  cache.tunnelChanged(name, view);
  fallbacks.changed(name);
}

function tunnelChanged(
  name: string,
  view: TunnelView | undefined,
  { hub, admission, registry }: Pick<Inner, 'hub' | 'admission' | 'registry'>,
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
