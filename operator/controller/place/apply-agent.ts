import type { MintedToken } from '../../../crds/agent-token.ts';
import type { ClusterTunnel, Spec } from '../../../crds/types.ts';
import type { Clock } from '../../../process/clock.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type DataObject, describeObject, type KubeObject, RESOURCES } from '../../kube/objects.ts';
import type { Cluster } from '../clusters/clusters.ts';
import { agentToken, confirmPlaced, tokenIn } from '../keys/credentials.ts';
import { agentName, keysName } from '../names.ts';
import { agentNamespace } from '../objects/access.ts';
import { applyAnew } from '../objects/apply-anew.ts';
import { type DeploymentObject, runningAs } from '../objects/deployment.ts';
import { desired, type GatewayFacts, manifest } from '../objects/desired.ts';
import { type Doing, type Failure, failureOf, terminating } from '../status/failure.ts';

export interface ApplyDeps {
  /** Of the hub. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly mint: () => MintedToken;
  readonly unplaced: Map<string, string>;
  /** The operator's namespace. */
  readonly namespace: string;
  readonly gateway: () => GatewayFacts;
}

/** One tunnel and the cluster that its agent stands in. */
export interface AgentTask {
  readonly deps: ApplyDeps;
  readonly tunnel: ClusterTunnel;
  readonly spec: Spec;
  readonly cluster: Cluster;
}

export type Applied = { readonly deployment: DeploymentObject } | { readonly failure: Failure };

/** As far as we look at it. */
interface NamespaceObject extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly status: string; readonly message?: string }[];
  };
}

/** Notes what is being done, for whoever has to explain why it failed. */
type Note = (doing: Doing) => void;

/** Applies everything of an agent. Hashes stay at the hub; everything else goes where the agent stands. */
export async function applyAgent(task: AgentTask, signal: AbortSignal): Promise<Applied> {
  let doing = atCluster(task, `read Namespace ${task.spec.agent.namespace}`);
  try {
    const namespace = await namespaceOf(task, signal);
    if (namespace.metadata.deletionTimestamp !== undefined) {
      return { failure: terminating(doing, task.spec.agent.namespace, whyItLasts(namespace)) };
    }
    return { deployment: await applyInto(task, (next) => (doing = next), signal) };
  } catch (error) {
    return { failure: failureOf(error, doing) };
  }
}

/** An existing namespace is left as its owner made it: it is created, never applied, so the right to change any is not needed. */
async function namespaceOf({ spec, cluster }: AgentTask, signal: AbortSignal): Promise<NamespaceObject> {
  const wanted = agentNamespace(spec.agent.namespace);
  const known = await cluster.client.find<NamespaceObject>(RESOURCES.namespace, { name: wanted.metadata.name }, signal);
  return known ?? cluster.client.create<NamespaceObject>(RESOURCES.namespace, {}, wanted, signal);
}

/** The namespace controller's words. */
function whyItLasts({ status }: NamespaceObject): string {
  const told = (status?.conditions ?? []).filter((condition) => condition.status === 'True');
  return told.flatMap(({ message }) => message ?? []).join('; ');
}

async function applyInto(task: AgentTask, note: Note, signal: AbortSignal): Promise<DeploymentObject> {
  const { deps, tunnel, spec, cluster } = task;
  const { client: hub, clock, mint, unplaced, namespace } = deps;
  const { name, uid } = tunnel.metadata;
  const secret = { namespace: spec.agent.namespace, name: agentName(name) };
  const owner = { tunnel: name, tunnelUid: uid, namespace };
  const credentials = { hub, now: () => clock.date(), mint, unplaced };
  note(atCluster(task, `read Secret ${secret.namespace}/${secret.name}`));
  const held = tokenIn(await cluster.client.find<DataObject>(RESOURCES.secret, secret, signal));
  note(atHub(task));
  const issued = await agentToken(credentials, owner, held, signal);
  const deployment = await applyEach(task, issued.token, note, signal);
  note(atHub(task));
  await confirmPlaced(credentials, owner, issued, signal);
  return deployment;
}

async function applyEach(task: AgentTask, token: string, note: Note, signal: AbortSignal): Promise<DeploymentObject> {
  const { deps, tunnel, spec, cluster } = task;
  const render = cluster.isRemote ? manifest : desired;
  let account: KubeObject | undefined;
  let applied: KubeObject | undefined;
  for (const object of render({ tunnel: tunnel.metadata.name, spec, gateway: deps.gateway(), token })) {
    if (object.kind === RESOURCES.namespace.kind) continue;
    const isDeployment = object.kind === RESOURCES.deployment.kind;
    note(atCluster(task, `apply ${describeObject(object)}`, isDeployment ? 'agent' : 'credentials'));
    applied = await applyAnew(cluster.client, isDeployment ? runningAs(object, account?.metadata.uid) : object, signal);
    if (object.kind === RESOURCES.serviceAccount.kind) account = applied;
  }
  // The Deployment is the last that is rendered.
  return applied as DeploymentObject;
}

function atCluster({ deps, spec, cluster }: AgentTask, what: string, step: Doing['step'] = 'credentials'): Doing {
  const { namespace, kubeconfigSecretRef: ref } = spec.agent;
  const kubeconfigSecret = ref === undefined ? undefined : `${deps.namespace}/${ref.name}`;
  return { step, what, server: cluster.server, isRemote: cluster.isRemote, namespace, kubeconfigSecret };
}

function atHub({ deps: { client, namespace }, tunnel }: AgentTask): Doing {
  const what = `write Secret ${namespace}/${keysName(tunnel.metadata.name)}`;
  return { step: 'credentials', what, server: client.server, isRemote: false, namespace: undefined };
}
