import type { ClusterTunnel, Spec } from '../../../crds/types.ts';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { Cluster, ClusterChoice } from '../clusters/clusters.ts';
import { withDeadline } from '../clusters/deadline.ts';
import { AGENT_CLUSTER_ROLE } from '../names.ts';
import { type Belonging, belongingsOf, describeBelonging, removeUnusedRole } from '../objects/belongings.ts';
import { type Failure, failureOf, unreachable } from '../status/failure.ts';
import { Reason } from '../status/reasons.ts';

/** Of a reconcile's time; the rest is for the status. */
const REMOVE_LIMIT_MS = 40_000;

export interface RemoveAgentDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** The operator's namespace. */
  readonly namespace: string;
  readonly clusterOf: (tunnel: ClusterTunnel, spec: Spec) => ClusterChoice;
}

/** What could not be removed from the agent's cluster, and why. */
export interface Leftover {
  readonly failure: Failure;
  /** "Deployment clustertunnel-agent/clustertunnel-agent-prod", … */
  readonly objects: readonly string[];
  /** URL of the cluster's API server; undefined when not even that is known. */
  readonly server: string | undefined;
}

/** Removes the agent of a Local or Kubeconfig tunnel; undefined when nothing of it is left. Gone is as good as removed. */
export async function removeAgent(
  deps: RemoveAgentDeps,
  tunnel: ClusterTunnel,
  spec: Spec,
  signal: AbortSignal,
): Promise<Leftover | undefined> {
  const belongings = belongingsOf(tunnel.metadata.name, spec.agent.namespace);
  const choice = deps.clusterOf(tunnel, spec);
  if ('trouble' in choice) {
    const failure: Failure = { step: 'agent', ...choice.trouble, isTerminal: true };
    return { failure, objects: belongings.map(describeBelonging), server: undefined };
  }
  const { cluster } = choice;
  const { server } = cluster;
  if (cluster.unreachable !== undefined) {
    const failure = unreachable({ step: 'agent', server }, cluster.unreachable);
    return { failure, objects: belongings.map(describeBelonging), server };
  }
  const remove = (limited: AbortSignal) => removeEach({ deps, spec, cluster }, belongings, limited);
  const failed = await withDeadline(deps.clock, REMOVE_LIMIT_MS, signal, remove);
  const [first] = failed;
  return first === undefined ? undefined : { failure: first.failure, objects: failed.map(({ what }) => what), server };
}

interface Failed {
  readonly what: string;
  readonly failure: Failure;
}

interface Task {
  readonly deps: RemoveAgentDeps;
  readonly spec: Spec;
  readonly cluster: Cluster;
}

/** One refused object does not keep the others; a cluster that does not answer is asked once. */
async function removeEach(task: Task, belongings: readonly Belonging[], signal: AbortSignal): Promise<Failed[]> {
  const { client, isRemote } = task.cluster;
  const steps = belongings.map((belonging) => ({
    what: describeBelonging(belonging),
    run: () => removeOne(task, belonging, signal),
  }));
  if (isRemote) steps.push({ what: `ClusterRole ${AGENT_CLUSTER_ROLE}`, run: () => removeUnusedRole(client, signal) });
  const failed: Failed[] = [];
  for (const { what, run } of steps) {
    const silent = failed.find(({ failure }) => failure.reason === Reason.ClusterUnreachable);
    const failure = silent?.failure ?? (await attempt(task, what, run));
    if (failure !== undefined) failed.push({ what, failure });
  }
  return failed;
}

async function attempt(
  { deps, spec, cluster }: Task,
  what: string,
  run: () => Promise<void>,
): Promise<Failure | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    const { namespace, kubeconfigSecretRef: ref } = spec.agent;
    const kubeconfigSecret = ref === undefined ? undefined : `${deps.namespace}/${ref.name}`;
    const { server, isRemote } = cluster;
    return failureOf(error, { step: 'agent', what: `delete ${what}`, server, isRemote, namespace, kubeconfigSecret });
  }
}

async function removeOne({ deps, cluster }: Task, { resource, address }: Belonging, signal: AbortSignal) {
  try {
    await cluster.client.delete(resource, address, signal);
  } catch (error) {
    // In a namespace of the hub where we never had rights nothing of ours can be, and the tunnel must not stay for ever.
    const isElsewhere = address.namespace !== undefined && address.namespace !== deps.namespace;
    if (cluster.isRemote || !isForbidden(error) || !isElsewhere) throw error;
    deps.log.warn('object not removed', { kind: resource.kind, ...address, error });
  }
}
