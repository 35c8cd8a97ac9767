import { isDeepStrictEqual } from 'node:util';
import type { ClusterTunnel, SpecInput } from '../../../crds/types.ts';
import { tokenIn } from '../../../operator/controller/keys/credentials.ts';
import type { SessionFacts } from '../../../operator/controller/status/observe.ts';
import { type KubeClient, PatchType } from '../../../operator/kube/client.ts';
import { isConflict, isNotFound } from '../../../operator/kube/errors.ts';
import { type DataObject, type KubeObject, pathOf, RESOURCES } from '../../../operator/kube/objects.ts';
import type { Transport } from '../../../operator/kube/transport.ts';
import { pause } from '../../../process/clock.ts';
import { type Kubeconfig, kubeconfigSecret } from '../remote-secret.ts';
import { Chaos, type ClusterName } from './chaos.ts';
import { agentSecretAt, deploymentAt, describeMade, type Made, madeFor, TUNNEL, theKeys, theTunnel } from './made.ts';
import { normalised, type Snapshot } from './normalise.ts';
import { OPERATOR_NAMESPACE, OperatorProcess } from './operator-process.ts';
import { scaledClock } from './scaled-clock.ts';
import { checkKeys, isStranger } from './verdicts.ts';

export interface WorldOptions {
  /** May do everything at the hub. */
  readonly hub: KubeClient;
  /** The operator's own way to the hub. */
  readonly transport: Transport;
  /** Given: the agent stands there, by a kubeconfig, not at the hub. */
  readonly remote?: { readonly admin: KubeClient; readonly kubeconfigs: readonly [Kubeconfig, Kubeconfig] };
}

/** Names of the Secrets with a kubeconfig; both lead to the same cluster. */
export const KUBECONFIG_SECRETS = ['first', 'second'] as const;

/** No agent has a session. */
export const nobody: SessionFacts = { liveSessions: 0, gateways: 0, agents: [] };

/** Time runs this much faster for operators. */
const HASTE = 20;
/** Of an operator that wrote a status so often the next write may wait so long. */
const OFTEN = 10;
const HELD_MS = 60_000;
const PATIENCE_MS = 20_000;
const never = new AbortController().signal;

/** A hub, perhaps a remote cluster, one tunnel, and the operators that come and go. */
export class World {
  readonly chaos = new Chaos();
  /** Everything that is made for the tunnel. */
  readonly made: readonly Made[];
  readonly #options: WorldOptions;
  readonly #clock = scaledClock(HASTE);
  /** How often the status had been written when the last one that was held must have come. */
  #released = 0;
  readonly #agentsAt: ClusterName;
  #facts: SessionFacts = nobody;
  #operator: OperatorProcess | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#agentsAt = options.remote === undefined ? 'hub' : 'remote';
    this.made = madeFor(this.#agentsAt);
  }

  get operator(): OperatorProcess | undefined {
    return this.#operator;
  }

  get isRemote(): boolean {
    return this.#options.remote !== undefined;
  }

  /** An administrator of the cluster. */
  admin(at: ClusterName): KubeClient {
    return at === 'remote' && this.#options.remote !== undefined ? this.#options.remote.admin : this.#options.hub;
  }

  /** Starts an operator with empty memory, unless one runs. */
  async startOperator(): Promise<void> {
    while (this.#operator === undefined || this.#operator.life.signal.aborted) {
      await this.#operator?.kill();
      this.#operator = new OperatorProcess({
        transport: this.#options.transport,
        chaos: this.chaos,
        clock: this.#clock,
        sessions: () => fresh(this.#facts, this.#clock.nowMs()),
      });
      this.chaos.note('— operator starts');
      // Whoever dies in between is followed by the next.
      await this.#operator.start().catch(() => {});
    }
  }

  async killOperator(): Promise<void> {
    this.chaos.note('— operator killed');
    await this.#operator?.kill();
    this.#operator = undefined;
  }

  async stopOperator(): Promise<void> {
    this.chaos.note('— operator stopped');
    await this.#operator?.stop();
    this.#operator = undefined;
  }

  setFacts(facts: SessionFacts): void {
    this.#facts = facts;
    this.#operator?.enqueue(TUNNEL);
  }

  find(): Promise<ClusterTunnel | undefined> {
    return this.admin('hub').find<ClusterTunnel>(RESOURCES.clusterTunnel, { name: TUNNEL }, never);
  }

  async create(spec: SpecInput): Promise<void> {
    const { apiVersion, kind } = RESOURCES.clusterTunnel;
    const [secret] = KUBECONFIG_SECRETS;
    const remote = { placement: 'Kubeconfig', kubeconfigSecretRef: { name: secret } } as const;
    const agent = this.isRemote ? { ...remote, ...spec.agent } : spec.agent;
    this.chaos.statusWrites = 0;
    this.#released = 0;
    this.chaos.note(`— created with ${JSON.stringify({ ...spec, agent })}`);
    const body = { apiVersion, kind, metadata: { name: TUNNEL }, spec: { ...spec, agent } };
    await this.admin('hub').create(RESOURCES.clusterTunnel, {}, body, never);
  }

  async delete(): Promise<void> {
    this.chaos.note('— deleted');
    await this.admin('hub').delete(RESOURCES.clusterTunnel, { name: TUNNEL }, never);
  }

  /** By hand, as an administrator; what is not there, or was just changed, stays as it is. */
  async byHand(what: string, edit: () => Promise<unknown>): Promise<void> {
    this.chaos.note(`— by hand: ${what}`);
    await edit().catch(unlessPassed);
  }

  /** Makes a Secret hold the nth kubeconfig, another text, or not be there. */
  async putKubeconfig(name: string, content: number | string | undefined): Promise<void> {
    const { remote } = this.#options;
    if (remote === undefined) return;
    const address = { namespace: OPERATOR_NAMESPACE, name };
    if (content === undefined) {
      await this.admin('hub').delete(RESOURCES.secret, address, never);
      return;
    }
    const config = typeof content === 'string' ? content : (remote.kubeconfigs[content] ?? '');
    const secret = kubeconfigSecret(name, config as Kubeconfig);
    const known = await this.admin('hub').find(RESOURCES.secret, address, never);
    if (known === undefined) await this.admin('hub').create(RESOURCES.secret, address, secret, never);
    else await this.admin('hub').patch(RESOURCES.secret, address, { type: PatchType.merge, body: secret }, never);
  }

  /** As the Deployment controller would, when all pods run. Resolves to whether there was anything to say. */
  async rollOut(): Promise<boolean> {
    const { resource, address, at } = deploymentAt(this.#agentsAt);
    const deployment = await this.admin(at).find<Rolling>(resource, address, never);
    if (deployment === undefined) return false;
    const { apiVersion, kind, metadata, spec } = deployment;
    const { replicas = 1 } = spec;
    const { generation: observedGeneration = 0 } = metadata;
    const counts = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
    const status = { observedGeneration, ...(replicas === 0 ? {} : counts) };
    if (isDeepStrictEqual(deployment.status, status)) return false;
    this.chaos.note(`— all ${replicas} pods run`);
    const body = { apiVersion, kind, metadata, spec, status };
    await this.admin(at).replace(resource, { ...address, subresource: 'status' }, body, never);
    return true;
  }

  /** All trouble is over: nothing fails, nobody dies, what users must provide is there. */
  async calm(): Promise<void> {
    this.chaos.calm();
    this.#operator?.life.spare();
    if (this.isRemote) for (const name of KUBECONFIG_SECRETS) await this.putKubeconfig(name, 0);
    await Promise.all(this.made.map((made) => this.#clearTheWay(made)));
    await this.startOperator();
  }

  /** What no update can make ours and no label calls ours is left alone by operators: whoever put it there removes it. */
  async #clearTheWay(made: Made): Promise<void> {
    const object = await this.#get(made);
    if (object !== undefined && isStranger(object))
      await this.admin(made.at).delete(made.resource, made.address, never);
  }

  /** Until nothing changes any more: the operator knows of everything, has looked once more, and found nothing to do. */
  async settle(): Promise<void> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    await this.calm();
    for (let unrest: string | undefined = ''; unrest !== undefined; ) {
      await this.startOperator();
      unrest = (await this.#untold()) ?? (await this.#foundToDo(deadline)) ?? (await this.#podsToStart());
      unrest ??= await this.#flapping();
      unrest ??= await this.#held();
      unrest ??= await this.#untold();
      if (deadline.aborted) throw new Error(`waited ${PATIENCE_MS / 1_000} s for quiet: ${unrest}`);
    }
  }

  /** Until the tunnel is gone, in peace: sessions end at once. */
  async untilGone(): Promise<void> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    this.setFacts(nobody);
    await this.calm();
    while ((await this.find()) !== undefined) {
      await this.startOperator();
      await this.chaos.nextCalls(1, AbortSignal.any([deadline, AbortSignal.timeout(50)]));
      if (deadline.aborted) throw new Error(`waited ${PATIENCE_MS / 1_000} s for the tunnel to go`);
    }
  }

  /** Whatever still stands of the tunnel. */
  async leftovers(): Promise<string[]> {
    const found = await Promise.all(
      [...this.made, theTunnel].map(async (made) => [made, await this.#get(made)] as const),
    );
    return found.filter(([, object]) => object !== undefined).map(([made]) => describeMade(made));
  }

  async snapshot(): Promise<Snapshot> {
    const tunnel = await this.find();
    if (tunnel === undefined) throw new Error('there is no tunnel');
    checkKeys(tunnel, await this.#get<DataObject>(theKeys));
    const token = tokenIn(await this.#get<DataObject>(agentSecretAt(this.#agentsAt))) ?? '';
    if (!this.#operator?.accepts(token)) throw new Error('the agent could not log in with the token in its Secret');
    const objects = await Promise.all(this.made.map(async (made) => [made, await this.#get(made)] as const));
    return normalised(tunnel, objects);
  }

  /** What a reconcile still had to do; undefined when it found nothing. */
  async #foundToDo(deadline: AbortSignal): Promise<string | undefined> {
    const { writes } = this.chaos;
    const outcome = await this.#operator?.reconcileAnew(TUNNEL, deadline);
    if (outcome !== 'requeue_after' && outcome !== 'success') return `the reconcile ended with ${outcome}`;
    return this.chaos.writes === writes ? undefined : 'the reconcile wrote something';
  }

  /** Sessions came and went so often that the status waits until they stay; undefined when it does not. */
  async #flapping(): Promise<string | undefined> {
    const conditions = (await this.find())?.status?.conditions ?? [];
    return conditions.some(({ reason }) => reason === 'Flapping')
      ? 'the connection was not steady for long'
      : undefined;
  }

  /** The status was written so often that a write may be held back; undefined when it would have come. */
  async #held(): Promise<string | undefined> {
    const { statusWrites } = this.chaos;
    if (statusWrites < OFTEN || statusWrites === this.#released) return undefined;
    await pause(this.#clock, HELD_MS);
    this.#released = statusWrites;
    return 'the status was written often';
  }

  /** Pods that did not run yet; undefined when all do. */
  async #podsToStart(): Promise<string | undefined> {
    const isLate = await this.rollOut().catch(unlessPassed);
    return isLate === false ? undefined : 'pods have just started';
  }

  /** What the operator was not told of as it stands now; undefined when it knows all. */
  async #untold(): Promise<string | undefined> {
    const untold = await Promise.all(
      [...this.made, theTunnel].map(async (made) => {
        const object = await this.#get(made);
        const path = pathOf(made.resource, { namespace: made.address.namespace });
        const watched = this.#operator?.[made.at];
        const knows = watched?.watches(path) && watched.knows(path, made.address.name, object);
        return knows ? undefined : `the operator does not know ${describeMade(made)} as it is`;
      }),
    );
    return untold.find((each) => each !== undefined);
  }

  #get<T extends KubeObject>({ at, resource, address }: Made): Promise<T | undefined> {
    return this.admin(at).find<T>(resource, address, never);
  }
}

interface Rolling extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status?: unknown;
}

/** The object was changed or removed meanwhile: such is life. */
function unlessPassed(error: unknown): void {
  if (!isConflict(error) && !isNotFound(error)) throw error;
}

/** What was heard of the API server was heard just now. */
function fresh(facts: SessionFacts, nowMs: number): SessionFacts {
  return facts.upstream === undefined ? facts : { ...facts, upstream: { ...facts.upstream, observedAtMs: nowMs } };
}
