import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type AgentKey, mintAgentToken } from '../../crds/agent-token.ts';
import type { ClusterTunnel } from '../../crds/types.ts';
import type { Clock } from '../../process/clock.ts';
import type { Logger } from '../../process/log.ts';
import type { KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import { LeaderElection } from '../kube/lease.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { Change } from '../kube/store.ts';
import { type Caches, createCaches, findAgentKey, hasAgentKey } from './caches.ts';
import { Clusters, type ClustersOptions } from './clusters/clusters.ts';
import { isOnlyStatus, mayBeDrift, tunnelsOf } from './clusters/drift.ts';
import type { KubeconfigChoice, KubeconfigRef } from './clusters/kubeconfig-secrets.ts';
import { LEADER_LEASE } from './names.ts';
import type { GatewayFacts } from './objects/desired.ts';
import { Placed } from './place/placed.ts';
import type { ReconcileDeps } from './reconcile.ts';
import type { SessionFacts } from './status/observe.ts';
import { runWorkers, type WorkObserver } from './work.ts';
import { Workqueue, type WorkqueueObserver } from './workqueue.ts';

export interface ControllerConfig {
  /** The operator's own namespace. */
  readonly namespace: string;
  /** How agents and users reach the gateway. */
  readonly externalUrl: string;
  readonly agentImage: string;
  /** PEM of the CA that signs the gateway's certificate. */
  readonly caBundle: () => string;
  readonly defaultAgentNamespace: string;
  /** How long a deletion waits for a remote cluster that does not answer; 300 s unless told. */
  readonly remoteRemovalTimeoutMs?: number;
  /** Unique per process; the pod's name. */
  readonly identity?: string;
}

export interface ControllerDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly config: ControllerConfig;
  readonly sessions: (tunnel: string) => SessionFacts;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly observer?: ControllerObserver;
  /** How remote clusters are reached: tests put something in between. */
  readonly connect?: ClustersOptions['connect'];
  /** Told of each tunnel that came, changed or went: sessions of a deleted one must end. */
  readonly onTunnel?: (name: string, tunnel: ClusterTunnel | undefined) => void;
  /** Told of each tunnel whose kubeconfigs may be other ones now. */
  readonly onKubeconfig?: (name: string) => void;
}

/** Hooks for metrics; all optional. */
export interface ControllerObserver extends WorkObserver {
  readonly queue?: WorkqueueObserver;
  leading?(isLeader: boolean): void;
}

export interface TunnelReader {
  get(name: string): ClusterTunnel | undefined;
  list(): ClusterTunnel[];
}

export interface Controller {
  /** Resolves when the caches are complete; the workers run from then on whenever this replica leads. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Something about the tunnel's sessions changed. */
  enqueue(name: string): void;
  readonly tunnels: TunnelReader;
  /** The key with this id, if its tunnel exists. For the gateway, on every replica. */
  findAgentKey(keyId: string): AgentKey | undefined;
  /** What a Secret of the operator's namespace holds now. For the gateway, on every replica. */
  findKubeconfig(ref: KubeconfigRef): KubeconfigChoice;
  readonly isLeader: () => boolean;
}

const REMOTE_REMOVAL_TIMEOUT_MS = 300_000;
/** After a change that a watch told: who repairs what another keeps changing, or hears of himself, must not do it as fast as he can. */
const PAUSE_MS = 500;

/** Reconciles every ClusterTunnel while this replica leads. */
export function createController(deps: ControllerDeps): Controller {
  const { client, clock, log, config, observer = {} } = deps;
  const stopping = new AbortController();
  const queue = new Workqueue(clock, observer.queue);
  const placed = new Placed(clock);
  const shared = { client, clock, log, random: Math.random };
  const onChange = (tunnel: string, change: Change<KubeObject>) => {
    if (mayBeDrift(change)) placed.forget(tunnel);
    queue.addAfter(tunnel, PAUSE_MS);
  };
  const caches: Caches = createCaches({
    ...shared,
    namespace: config.namespace,
    onBelonging: (change) => {
      for (const tunnel of tunnelsOf(change)) onChange(tunnel, change);
    },
    onKubeconfig: (tunnel) => {
      queue.add(tunnel);
      deps.onKubeconfig?.(tunnel);
    },
    onTunnel: (change) => {
      const { object, isGone } = change;
      addChanged(queue, change);
      deps.onTunnel?.(object.metadata.name, isGone ? undefined : (object as ClusterTunnel & KubeObject));
    },
  });
  const clusters = new Clusters({
    ...shared,
    ...(deps.connect === undefined ? {} : { connect: deps.connect }),
    hub: client,
    kubeconfigs: caches.kubeconfigs,
    defaultAgentNamespace: config.defaultAgentNamespace,
    onChange,
    onReachable: (tunnel) => queue.add(tunnel),
  });
  const election = electionOf(deps);
  const work = { log, observer, queue, caches, clusters, reconcile: reconcileDeps(deps, caches, clusters, placed) };
  let running: Promise<unknown> = Promise.resolve();
  return {
    async start() {
      const { signal } = stopping;
      const reflecting = caches.run(signal);
      running = reflecting;
      const stopped = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      await Promise.race([caches.synced, stopped]);
      running = Promise.all([reflecting, election.run(signal, (term) => runWorkers(work, term))]);
    },
    async stop() {
      stopping.abort(new Error('the controller is stopping'));
      await running;
      await clusters.stop();
      queue.close();
    },
    enqueue: (name) => queue.add(name),
    tunnels: caches.tunnels,
    findAgentKey: (keyId) => findAgentKey(caches, keyId),
    findKubeconfig: (ref) => caches.kubeconfigs.find(ref),
    isLeader: () => election.isLeader,
  };
}

/** Whose words differ each time has a status to write each time: that must not make another round at once. */
function addChanged(queue: Workqueue, change: Change<KubeObject>): void {
  const { name } = change.object.metadata;
  if (!isOnlyStatus(change)) queue.add(name);
  else if (!queue.isFailing(name)) queue.addAfter(name, PAUSE_MS);
}

function electionOf({ client, clock, log, config, observer }: ControllerDeps): LeaderElection {
  return new LeaderElection({
    client,
    clock,
    log,
    namespace: config.namespace,
    name: LEADER_LEASE,
    identity: config.identity ?? `${hostname()}-${randomBytes(4).toString('hex')}`,
    onChange: (isLeader) => observer?.leading?.(isLeader),
  });
}

function reconcileDeps(
  { client, clock, log, config, sessions, events }: ControllerDeps,
  caches: Caches,
  clusters: Clusters,
  placed: Placed,
): ReconcileDeps {
  const gateway = (): GatewayFacts => ({
    url: config.externalUrl,
    caPem: config.caBundle(),
    agentImage: config.agentImage,
  });
  return {
    client,
    clock,
    log,
    namespace: config.namespace,
    gateway,
    placed,
    sessions,
    mint: () => mintAgentToken(randomBytes),
    unplaced: new Map(),
    paces: new Map(),
    find: (name) => caches.tunnels.get(name),
    hasKey: (tunnel) => hasAgentKey(caches, config.namespace, tunnel),
    clusterOf: (tunnel, spec) => clusters.of(tunnel, spec),
    remoteRemovalTimeoutMs: config.remoteRemovalTimeoutMs ?? REMOTE_REMOVAL_TIMEOUT_MS,
    removingSince: new Map(),
    record: (tunnel, event) => events.record({ regarding: tunnel, action: 'Reconcile', ...event }),
  };
}
