import { pause, systemClock } from '../process/clock.ts';
import { createLogger, type Logger } from '../process/log.ts';
import { type Check, type OpsServer, startOpsServer } from '../process/ops-server.ts';
import { exitOnSignals } from '../process/shutdown.ts';
import { VERSION } from '../process/version.ts';
import { followCertificates } from './certificate-secrets.ts';
import { watchClientAuthorities } from './client-authorities.ts';
import { type Controller, createController } from './controller/controller.ts';
import type { OperatorConfig } from './flags.ts';
import { type KeepOptions, type KeptCertificates, keepCertificates } from './gateway/front/keep-certificates.ts';
import { MAX_REVIEWS_AT_ONCE } from './gateway/front/reviews.ts';
import type { ServingCertificate } from './gateway/front/server.ts';
import { type Gateway, startGateway } from './gateway/gateway.ts';
import type { GatewayMeter } from './gateway/meter.ts';
import { gatewayMeter, refusalCounter, registerGatewayMetrics } from './gateway/metrics.ts';
import { accessReviewer, secretShelf, tokenReviewer } from './hub-services.ts';
import { createClient, type KubeClient } from './kube/client.ts';
import { createEventRecorder, type EventRecorder } from './kube/events.ts';
import { loadKubeConfig } from './kube/kube-config.ts';
import { createTransport } from './kube/transport.ts';
import { createOperatorMetrics, type OperatorMetrics } from './metrics.ts';
import { NO_SESSIONS, sessionFacts, settlingUntil } from './session-facts.ts';
import { TunnelViews } from './tunnel-views.ts';

const DEFAULT_AGENT_NAMESPACE = 'clustertunnel-agent';
/** Reviews run beside each other, of tokens and of access: users wait for them. */
const REVIEW_CONNECTIONS = 2 * MAX_REVIEWS_AT_ONCE;
/** Queued Events and the controller's last writes get this long at the end. */
const STOP_EVENTS_MS = 2_000;

interface Parts {
  /** Of the controller, and of the gateway's reviews. */
  readonly clients: readonly KubeClient[];
  readonly controller: Controller;
  readonly gateway: Gateway;
  readonly events: EventRecorder;
  readonly ops: OpsServer;
  /** Aborted: /readyz says no, and certificates and authorities are followed no more. */
  readonly leaving: AbortController;
}

/**
 * Runs controller and gateway in one process (`--role=all`) until SIGTERM.
 * The one place where they meet: the controller reads sessions, the gateway reads tunnels and keys.
 * @throws Error when the hub cannot be reached at start or the port is taken.
 */
export async function runOperator(config: OperatorConfig): Promise<void> {
  const log = createLogger({ level: config.logLevel, format: config.logFormat });
  const parts = await start(config, log);
  exitOnSignals({
    log,
    deadlineMs: () => (config.shutdownDelaySeconds + config.drainSeconds) * 1_000 + STOP_EVENTS_MS + 5_000,
    drain: () => stop(parts, config),
  });
  log.info('operator started', {
    version: VERSION,
    role: config.role,
    url: config.externalUrl,
    port: parts.gateway.port,
  });
}

async function start(config: OperatorConfig, log: Logger): Promise<Parts> {
  const clock = systemClock;
  const started = { date: clock.date(), ms: clock.nowMs() };
  const metrics = createOperatorMetrics();
  const { client, reviews } = hubClients(config, metrics);
  const keep: KeepOptions = { ...config, shelf: secretShelf(client, config.namespace), clock, log };
  const certificates = { kept: await keepCertificates(keep) };
  const recording = { client, clock, log, controller: 'clustertunnel.io/controller', instance: config.podName };
  const events = createEventRecorder(recording);

  let gateway: Gateway | undefined;
  const controller = createController({
    client,
    clock,
    log: log.child({ logger: 'controller' }),
    events,
    observer: metrics.controller,
    config: {
      ...config,
      identity: config.podName,
      caBundle: () => certificates.kept.authority.cert,
      defaultAgentNamespace: DEFAULT_AGENT_NAMESPACE,
      remoteRemovalTimeoutMs: config.remoteRemovalTimeoutSeconds * 1_000,
    },
    sessions: (tunnel) => {
      const facts = gateway?.facts(tunnel) ?? NO_SESSIONS;
      const createdAt = controller.tunnels.get(tunnel)?.metadata.creationTimestamp;
      return { ...sessionFacts(facts), settlingUntilMs: settlingUntil(createdAt, started, facts) };
    },
    onTunnel: (name) => gateway?.tunnelChanged(name),
    onKubeconfig: (name) => gateway?.fallbackChanged(name),
  });
  const leaving = new AbortController();
  const ready = () => {
    if (leaving.signal.aborted) return 'this replica is leaving';
    return gateway === undefined ? 'the caches of the hub are not complete yet' : undefined;
  };
  const ops = await startOps(config, { controller, gateway: () => gateway, ready }, metrics.registry);
  // Complete caches first: an agent or a user who came earlier would be told that his key or tunnel does not exist.
  await controller.start();
  const onRefused = refusalCounter(metrics.registry);
  const meter = gatewayMeter(metrics.registry, () => controller.tunnels.list().map(({ metadata }) => metadata.name));
  const opened = await openGateway({ config, controller, reviews, onRefused, meter, log }, certificates.kept.serving);
  gateway = opened;
  registerGatewayMetrics(metrics.registry, opened);
  const onChange = (pem: string) => opened.setClientAuthorities(pem);
  watchClientAuthorities({ client, clock, log, random: Math.random, onChange }, leaving.signal);
  const onKept = (kept: KeptCertificates) => useKept(kept, { certificates, controller, gateway: opened });
  followCertificates({ client, keep, random: Math.random, onKept }, leaving.signal);
  return { clients: [client, reviews], controller, gateway: opened, events, ops, leaving };
}

/** What was renewed is used from now on. */
function useKept(
  kept: KeptCertificates,
  {
    certificates,
    controller,
    gateway,
  }: Pick<Parts, 'controller' | 'gateway'> & { certificates: { kept: KeptCertificates } },
): void {
  const { authority, serving } = certificates.kept;
  certificates.kept = kept;
  if (kept.serving.cert !== serving.cert) gateway.setCertificate(kept.serving);
  // Agents trust what their Secret says.
  if (kept.authority.cert === authority.cert) return;
  for (const { metadata } of controller.tunnels.list()) controller.enqueue(metadata.name);
}

function hubClients(config: OperatorConfig, { apiAnswered: observe }: OperatorMetrics) {
  const kubeConfig = loadKubeConfig({ kubeconfig: config.kubeconfig, env: process.env });
  const clientWith = (connections: { maxConnections?: number }) =>
    createClient(createTransport({ config: kubeConfig, clock: systemClock, observe, ...connections }));
  return { client: clientWith({}), reviews: clientWith({ maxConnections: REVIEW_CONNECTIONS }) };
}

interface GatewayParts {
  readonly config: OperatorConfig;
  readonly controller: Controller;
  readonly reviews: KubeClient;
  readonly onRefused: (code: string) => void;
  readonly meter: GatewayMeter;
  readonly log: Logger;
}

function openGateway(
  { config, controller, reviews, onRefused, meter, log }: GatewayParts,
  certificate: ServingCertificate,
): Promise<Gateway> {
  return startGateway({
    host: config.bindAddress,
    port: config.gatewayPort,
    http2: config.http2,
    certificate,
    externalUrl: config.externalUrl,
    maxBufferBytes: config.maxBufferBytes,
    replicaId: config.podName,
    tunnels: new TunnelViews(controller.tunnels, systemClock.date()),
    findKey: (keyId) => controller.findAgentKey(keyId),
    findFallback: (ref) => controller.findKubeconfig(ref),
    allowedOrigins: config.allowedOrigins,
    tokenAudiences: config.tokenAudiences,
    failedLoginsPerSecond: config.failedLoginsPerSecond,
    userRate: config.userRate,
    onRefused,
    meter,
    reviewToken: tokenReviewer(reviews),
    reviewAccess: accessReviewer(reviews),
    clock: systemClock,
    random: Math.random,
    log: log.child({ logger: 'gateway' }),
    onTunnelChange: (tunnel) => controller.enqueue(tunnel),
  });
}

function startOps(
  config: OperatorConfig,
  { controller, gateway, ready }: { controller: Controller; gateway: () => Gateway | undefined; ready: Check },
  registry: { metrics(): Promise<string>; contentType: string },
): Promise<OpsServer> {
  return startOpsServer({
    host: config.bindAddress,
    port: config.opsPort,
    live: () => undefined,
    ready,
    metrics: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    state: () => ({
      gateway: gateway()?.counts(),
      tunnels: gateway()?.inForce(),
      isLeader: controller.isLeader(),
      handles: openHandles(),
    }),
  });
}

/** What keeps this process busy, by kind: sockets, timers, file reads. */
function openHandles(): Record<string, number> {
  const byKind: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) byKind[kind] = (byKind[kind] ?? 0) + 1;
  return byKind;
}

/**
 * First this replica only says that it leaves: load balancers learn it while it serves. Then it lets users and agents go
 * while nothing is decided any more: sessions that end now end because this process leaves, which is no news of a tunnel.
 * Whoever leads next says how they are. Last come the Events that still wait.
 */
async function stop(
  { clients, controller, gateway, events, ops, leaving }: Parts,
  config: OperatorConfig,
): Promise<void> {
  leaving.abort();
  await pause(systemClock, config.shutdownDelaySeconds * 1_000);
  await Promise.all([controller.stop(), gateway.drain(AbortSignal.timeout(config.drainSeconds * 1_000))]);
  await events.stop(STOP_EVENTS_MS);
  await ops.close();
  await Promise.all(clients.map((client) => client.close()));
}
