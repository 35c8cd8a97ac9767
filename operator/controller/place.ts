import { createHash } from 'node:crypto';
import type { MintedToken } from '../../crds/agent-token.ts';
import type { ClusterTunnel, Spec } from '../../crds/types.ts';
import type { Clock } from '../../process/clock.ts';
import { describeError } from '../../process/redact.ts';
import { applyObject } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError, isConflict, isForbidden, isTerminal, UnreachableError } from '../kube/errors.ts';
import { describeObject, type KubeObject, RESOURCES } from '../kube/objects.ts';
import { localToken } from './credentials.ts';
import type { DeploymentObject } from './deployment.ts';
import { desired, type GatewayFacts } from './desired.ts';
import { agentName, selectorOf } from './names.ts';
import { type AgentPod, type DeploymentFacts, deploymentFacts, type Failure } from './observe.ts';
import type { Placed } from './placed.ts';

export interface PlaceDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly mint: () => MintedToken;
  readonly unplaced: Map<string, string>;
  /** The operator's namespace. */
  readonly namespace: string;
  readonly gateway: () => GatewayFacts;
  readonly placed: Placed;
  /** The Deployment as the watch last told. */
  readonly deploymentOf: (namespace: string, name: string) => DeploymentObject | undefined;
}

/** What stands beside the API server after one attempt. */
export interface Placement {
  readonly hasKey: boolean;
  readonly deployment: DeploymentFacts | undefined;
  readonly failure: Failure | undefined;
}

/**
 * Makes a Local agent's objects as desired, by server-side apply; skipped while nothing has changed since it last
 * succeeded. A refusal of the API server is a Failure for the conditions; no answer at all is thrown.
 */
export async function placeLocal(
  deps: PlaceDeps,
  tunnel: ClusterTunnel,
  spec: Spec,
  signal: AbortSignal,
): Promise<Placement> {
  const { name } = tunnel.metadata;
  const digest = digestOf([tunnel.metadata.uid, spec, deps.gateway()]);
  let deployment = deps.deploymentOf(spec.agent.namespace, agentName(name));
  if (deployment === undefined || !deps.placed.isCurrent(name, digest)) {
    const succeeded = deps.placed.begin(name, digest);
    const attempt = await applyAll(deps, tunnel, spec, signal);
    if ('failure' in attempt) {
      deps.placed.forget(name);
      return { hasKey: attempt.failure.step === 'agent', deployment: undefined, failure: attempt.failure };
    }
    succeeded();
    deployment = attempt.deployment;
  }
  const pods = isUnavailable(deployment) ? await podsOf(deps.client, spec.agent.namespace, name, signal) : [];
  return { hasKey: true, deployment: deploymentFacts(deployment, pods), failure: undefined };
}

type Attempt = { readonly deployment: DeploymentObject } | { readonly failure: Failure };

async function applyAll(deps: PlaceDeps, tunnel: ClusterTunnel, spec: Spec, signal: AbortSignal): Promise<Attempt> {
  const { client, clock, mint, unplaced, namespace } = deps;
  const { name, uid } = tunnel.metadata;
  let doing = `read Secret ${spec.agent.namespace}/${agentName(name)}`;
  let step: Failure['step'] = 'credentials';
  try {
    const owner = { tunnel: name, tunnelUid: uid, namespace };
    const now = () => clock.date();
    const token = await localToken({ client, now, mint, unplaced }, owner, spec.agent.namespace, signal);
    let applied: KubeObject | undefined;
    for (const object of desired({ tunnel: name, spec, gateway: deps.gateway(), token })) {
      doing = `apply ${describeObject(object)}`;
      step = object.kind === 'Deployment' ? 'agent' : 'credentials';
      applied = await applyOrKeep(client, object, signal);
    }
    return { deployment: applied as DeploymentObject };
  } catch (error) {
    return { failure: failureOf(error, step, doing) };
  }
}

/** An existing namespace is left as its owner made it: it is created, never applied, so the right to change any is not needed. */
async function applyOrKeep(client: KubeClient, object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
  if (object.kind === RESOURCES.namespace.kind) {
    const known = await client.find<KubeObject>(RESOURCES.namespace, { name: object.metadata.name }, signal);
    return known ?? client.create<KubeObject>(RESOURCES.namespace, {}, object, signal);
  }
  return applyObject(client, object, signal);
}

/** @throws the error again unless the API server gave it as its answer. */
function failureOf(error: unknown, step: Failure['step'], doing: string): Failure {
  if (!(error instanceof ApiError) || isConflict(error) || error.status >= 500) throw error;
  return {
    step,
    doing,
    message: describeError(error),
    isForbidden: isForbidden(error),
    isTerminal: isForbidden(error) || isTerminal(error),
  };
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
