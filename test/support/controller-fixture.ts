import { fileURLToPath } from 'node:url';
import type { ClusterTunnel, Condition, SpecInput } from '../../crds/types.ts';
import { type Controller, createController } from '../../operator/controller/controller.ts';
import { agentName, keysName } from '../../operator/controller/names.ts';
import type { SessionFacts } from '../../operator/controller/status/observe.ts';
import { type KubeClient, PatchType } from '../../operator/kube/client.ts';
import { createEventRecorder, type EventRecorder } from '../../operator/kube/events.ts';
import { type DataObject, type KubeObject, RESOURCES, type Resource } from '../../operator/kube/objects.ts';
import { systemClock } from '../../process/clock.ts';
import { silentLogger } from '../../process/log.ts';
import { type Hub, startHub, until } from '../operator/kube/hub.ts';

const CONFIG = fileURLToPath(new URL('../../config/default', import.meta.url));
const signal = new AbortController().signal;

export const OPERATOR_NAMESPACE = 'clustertunnel-system';
export const AGENT_NAMESPACE = 'clustertunnel-agent';

export type Address = { readonly namespace?: string; readonly name: string };

/** What is made beside an API server for one tunnel. */
export function belongings(tunnel: string, namespace = AGENT_NAMESPACE): [Resource, Address][] {
  const name = agentName(tunnel);
  return [
    [RESOURCES.serviceAccount, { namespace, name }],
    [RESOURCES.clusterRoleBinding, { name }],
    [RESOURCES.secret, { namespace, name }],
    [RESOURCES.deployment, { namespace, name }],
  ];
}

/** Where the hashes of a tunnel's keys are. */
export function keysAddress(tunnel: string): Address {
  return { namespace: OPERATOR_NAMESPACE, name: keysName(tunnel) };
}

/** Only the client's calls that change something. */
type Change = 'create' | 'replace' | 'patch' | 'delete';

/** A controller with the rights that config/ ships, on a real API server whose Deployments make no pods. */
export class ControllerFixture {
  readonly hub: Hub;
  readonly facts = new Map<string, SessionFacts>();
  /** "patch Deployment clustertunnel-agent/…": every change that the controller asked the hub for, Leases and Events left out. */
  readonly writes: string[] = [];
  /** Of the next controller: restart() makes one. */
  remoteRemovalTimeoutMs = 300_000;
  /** Called before each of these changes: what it throws is the hub's answer. */
  disturb: (write: string) => void = () => {};
  controller: Controller;
  readonly #operator: KubeClient;
  #events: EventRecorder;

  private constructor(hub: Hub, operator: KubeClient) {
    this.hub = hub;
    this.#operator = this.#counted(operator);
    this.#events = this.#recorder();
    this.controller = this.#controller();
  }

  static async start(name: string): Promise<ControllerFixture> {
    const hub = await startHub(name);
    try {
      await hub.kubectl('apply', '-k', CONFIG);
      await until('the CRD to be served', async () => {
        const { exitCode } = await hub.kubectl('get', 'ct').catch(() => ({ exitCode: 1 }));
        return exitCode === 0;
      });
      const { stdout } = await hub.kubectl('-n', OPERATOR_NAMESPACE, 'create', 'token', 'clustertunnel-operator');
      const fixture = new ControllerFixture(hub, await hub.clientAs(stdout.trim()));
      await fixture.#lead();
      return fixture;
    } catch (error) {
      await hub.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#stopController();
    await this.hub.stop();
  }

  /** Another process in place of the one that leads: nothing that was only in memory is left. */
  async restart(meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
    await this.#stopController();
    await meanwhile();
    this.#events = this.#recorder();
    this.controller = this.#controller();
    await this.#lead();
  }

  create(name: string, spec: unknown = {}): Promise<unknown> {
    const { apiVersion, kind } = RESOURCES.clusterTunnel;
    const body = { apiVersion, kind, metadata: { name }, spec };
    return this.hub.client.create(RESOURCES.clusterTunnel, {}, body, signal);
  }

  /** Merges into a tunnel's spec. */
  change(name: string, spec: SpecInput): Promise<unknown> {
    return this.merge(RESOURCES.clusterTunnel, { name }, { spec });
  }

  merge(resource: Resource, address: Address & { subresource?: string }, body: object): Promise<unknown> {
    return this.hub.client.patch(resource, address, { type: PatchType.merge, body }, signal);
  }

  remove(name: string): Promise<unknown> {
    return this.hub.client.delete(RESOURCES.clusterTunnel, { name }, signal);
  }

  find(name: string): Promise<ClusterTunnel | undefined> {
    return this.hub.client.find<ClusterTunnel>(RESOURCES.clusterTunnel, { name }, signal);
  }

  get<T extends KubeObject>(resource: Resource, address: Address, client = this.hub.client): Promise<T | undefined> {
    return client.find<T>(resource, address, signal);
  }

  async condition(name: string, type: string): Promise<Condition | undefined> {
    return (await this.find(name))?.status?.conditions?.find((each) => each.type === type);
  }

  /** Waits for a condition with this reason. */
  async has(name: string, type: string, reason: string): Promise<Condition> {
    let seen: Condition | undefined;
    await until(`${type} of ${name} to be ${reason}`, async () => {
      seen = await this.condition(name, type);
      return seen?.reason === reason;
    });
    if (seen === undefined) throw new Error('the condition went');
    return seen;
  }

  async gone(name: string): Promise<void> {
    await until(`the tunnel ${name} to go`, async () => (await this.find(name)) === undefined);
  }

  /** How many of a tunnel's objects exist, without its keys. */
  async made(name: string, client = this.hub.client, namespace = AGENT_NAMESPACE): Promise<number> {
    const objects = await Promise.all(
      belongings(name, namespace).map(([resource, address]) => client.find(resource, address, signal)),
    );
    return objects.filter((object) => object !== undefined).length;
  }

  /** The token in an agent's Secret. */
  async tokenOf(name: string, client = this.hub.client): Promise<string> {
    const address = { namespace: AGENT_NAMESPACE, name: agentName(name) };
    const secret = await client.find<DataObject>(RESOURCES.secret, address, signal);
    return Buffer.from(secret?.data?.['token'] ?? '', 'base64').toString();
  }

  /** How many keys of the tunnel are valid. */
  async keyCount(name: string): Promise<number> {
    const secret = await this.hub.client.find<DataObject>(RESOURCES.secret, keysAddress(name), signal);
    return Object.keys(secret?.data ?? {}).length;
  }

  /** Says what the gateways know of a tunnel. */
  sessions(name: string, facts: Partial<SessionFacts>): void {
    this.facts.set(name, { liveSessions: 0, gateways: 0, agents: [], ...facts });
    this.controller.enqueue(name);
  }

  /** Resolves when the controller has asked for no change during a whole second. */
  async quiet(): Promise<void> {
    let count = -1;
    await until('the controller to rest', async () => {
      const before = count;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      count = this.writes.length;
      return count === before;
    });
  }

  /** "Warning RemoteLeftBehind …" of each Event about the tunnel. */
  async events(name: string): Promise<string[]> {
    const { stdout } = await this.hub.kubectl('get', 'events.events.k8s.io', '-o', 'json');
    const { items } = JSON.parse(stdout) as {
      items: { type: string; reason: string; note: string; regarding: { name: string } }[];
    };
    return items
      .filter(({ regarding }) => regarding.name === name)
      .map(({ type, reason, note }) => `${type} ${reason} ${note}`);
  }

  async #lead(): Promise<void> {
    await this.controller.start();
    await until('leadership', () => this.controller.isLeader());
  }

  async #stopController(): Promise<void> {
    await this.controller.stop();
    await this.#events.stop(1_000);
  }

  #recorder(): EventRecorder {
    const shared = { client: this.#operator, clock: systemClock, log: silentLogger };
    return createEventRecorder({ ...shared, controller: 'clustertunnel.io/controller', instance: 'test' });
  }

  #controller(): Controller {
    return createController({
      client: this.#operator,
      clock: systemClock,
      log: silentLogger,
      events: this.#events,
      config: {
        namespace: OPERATOR_NAMESPACE,
        externalUrl: 'https://gateway.example:8443',
        agentImage: 'clustertunnel:test',
        caBundle: () => 'CA',
        defaultAgentNamespace: AGENT_NAMESPACE,
        remoteRemovalTimeoutMs: this.remoteRemovalTimeoutMs,
      },
      sessions: (name) => this.facts.get(name) ?? { liveSessions: 0, gateways: 0, agents: [] },
    });
  }

  #counted(client: KubeClient): KubeClient {
    const ignored: readonly Resource[] = [RESOURCES.lease, RESOURCES.event];
    const counted = (verb: Change) => {
      const call = client[verb] as (...args: unknown[]) => Promise<unknown>;
      return async (resource: Resource, address: Partial<Address>, ...rest: unknown[]) => {
        const { namespace = '', name = '' } = address;
        const write = `${verb} ${resource.kind} ${namespace}/${name}`;
        if (ignored.includes(resource)) return call(resource, address, ...rest);
        this.writes.push(write);
        this.disturb(write);
        return call(resource, address, ...rest);
      };
    };
    const changes = {
      create: counted('create'),
      replace: counted('replace'),
      patch: counted('patch'),
      delete: counted('delete'),
    };
    return { ...client, ...changes } as KubeClient;
  }
}
