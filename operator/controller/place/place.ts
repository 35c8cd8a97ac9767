import { createHash } from 'node:crypto';
import type { ClusterTunnel, Spec } from '../../../crds/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, UnreachableError } from '../../kube/errors.ts';
import { RESOURCES } from '../../kube/objects.ts';
import type { ClusterChoice } from '../clusters/clusters.ts';
import { withDeadline } from '../clusters/deadline.ts';
import { repairKeys } from '../keys/credentials.ts';
import { agentName, selectorOf } from '../names.ts';
import type { DeploymentObject } from '../objects/deployment.ts';
import { type Failure, unreachable } from '../status/failure.ts';
import { type AgentPod, type DeploymentFacts, deploymentFacts } from '../status/observe.ts';
import { type AgentTask, type ApplyDeps, applyAgent } from './apply-agent.ts';
import type { Placed } from './placed.ts';

/** Of a reconcile's time; the rest is for the status. */
const PLACE_LIMIT_MS = 40_000;

export interface PlaceDeps extends ApplyDeps {
  readonly placed: Placed;
  /** Where a tunnel's agent stands. */
  readonly clusterOf: (tunnel: ClusterTunnel, spec: Spec) => ClusterChoice;
  /** Whether a token was issued for this very tunnel. */
  readonly hasKey: (tunnel: ClusterTunnel) => boolean;
}

/** What stands beside the API server after one attempt. */
export interface Placement {
  readonly hasKey: boolean;
  /** As last seen, whatever failed. */
  readonly deployment: DeploymentFacts | undefined;
  readonly failure: Failure | undefined;
}

/**
 * Makes the agent's objects as desired, by server-side apply, in the hub's cluster (Local) or a remote one (Kubeconfig);
 * skipped while nothing has changed since it last succeeded. What cannot be done is a Failure for the conditions.
 * @throws what says nothing about the tunnel: see failureOf.
 */
export async function place(
  deps: PlaceDeps,
  tunnel: ClusterTunnel,
  spec: Spec,
  signal: AbortSignal,
): Promise<Placement> {
  const hasKey = deps.hasKey(tunnel);
  if (spec.agent.placement === 'Manual') return placeManual(deps, tunnel, hasKey, signal);
  const choice = deps.clusterOf(tunnel, spec);
  if ('cluster' in choice) return placeAt({ deps, tunnel, spec, cluster: choice.cluster }, signal);
  const failure: Failure = { step: 'credentials', ...choice.trouble, isTerminal: true };
  return { hasKey, deployment: undefined, failure };
}

/** Of a Manual agent only the keys are ours. */
async function placeManual(
  { client, namespace }: PlaceDeps,
  { metadata: { name, uid } }: ClusterTunnel,
  hasKey: boolean,
  signal: AbortSignal,
): Promise<Placement> {
  const owner = { tunnel: name, tunnelUid: uid, namespace };
  const isKnown = hasKey || (await repairKeys(client, owner, signal));
  return { hasKey: isKnown, deployment: undefined, failure: undefined };
}

async function placeAt(task: AgentTask & { readonly deps: PlaceDeps }, signal: AbortSignal): Promise<Placement> {
  const { deps, tunnel, spec, cluster } = task;
  const { name } = tunnel.metadata;
  const digest = digestOf([cluster.id, tunnel.metadata.uid, spec, deps.gateway()]);
  const known = cluster.deploymentOf(spec.agent.namespace, agentName(name));
  const failedWith = (failure: Failure): Placement => {
    const deployment = known === undefined ? undefined : deploymentFacts(known, []);
    return { hasKey: deps.hasKey(tunnel), deployment, failure };
  };
  if (cluster.unreachable !== undefined) {
    return failedWith(unreachable({ step: 'credentials', server: cluster.server }, cluster.unreachable));
  }
  let deployment = known;
  if (deployment === undefined || !deps.placed.isCurrent(name, digest)) {
    const succeeded = deps.placed.begin(name, digest);
    const attempt = await withDeadline(deps.clock, PLACE_LIMIT_MS, signal, (limited) => applyAgent(task, limited));
    if ('failure' in attempt) {
      deps.placed.forget(name);
      return failedWith(attempt.failure);
    }
    succeeded();
    deployment = attempt.deployment;
  }
  const pods = isUnavailable(deployment) ? await podsOf(cluster.client, spec.agent.namespace, name, signal) : [];
  return { hasKey: true, deployment: deploymentFacts(deployment, pods), failure: undefined };
}

function isUnavailable({ spec, status }: DeploymentObject): boolean {
  return (status?.readyReplicas ?? 0) < (spec?.replicas ?? 1);
}

async function podsOf(client: KubeClient, namespace: string, tunnel: string, signal: AbortSignal): Promise<AgentPod[]> {
  const labelSelector = Object.entries(selectorOf(tunnel))
    .map((pair) => pair.join('='))
    .join(',');
  try {
    const pods = await client.list<AgentPod>(RESOURCES.pod, { namespace }, { labelSelector, limit: 10 }, signal);
    return [...pods.items];
  } catch (error) {
    // Pods only explain: without them the condition says less.
    if (error instanceof ApiError || error instanceof UnreachableError) return [];
    throw error;
  }
}

function digestOf(facts: unknown): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}
