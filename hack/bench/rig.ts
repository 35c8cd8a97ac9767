import { join } from 'node:path';
import type { AgentState } from '../../agent/agent.ts';
import type { GatewayCounts } from '../../operator/gateway/counts.ts';
import { MemoryWatch } from '../demo/memory.ts';
import { until } from '../lab/until.ts';
import { AgentProcess } from '../load/agent-process.ts';
import { deployedNodeOptions } from '../load/deployed-node-options.ts';
import { planGateway } from '../load/gateway-plan.ts';
import { leftovers } from '../load/leftovers.ts';
import { Worker } from '../load/worker.ts';
import type { GatewayMethods } from '../load/workers/gateway.ts';
import type { Bench } from './scenario.ts';
import type { ClientsMethods } from './workers/clients.ts';
import type { DribblersMethods } from './workers/dribblers.ts';
import type { UpstreamMethods } from './workers/upstream.ts';

/** A gateway to hold connections of. */
export interface Bystander {
  readonly gateway: Worker<GatewayMethods>;
  readonly port: number;
  readonly ca: string;
  /** By tunnel, of its agents. */
  readonly tokens: ReadonlyMap<string, string>;
}

export interface Strangers {
  readonly dribblers: Worker<DribblersMethods>;
  /** Whose connections they hold. */
  readonly gateway: Worker<GatewayMethods>;
}

const TUNNEL = 'bench';
const QUIET_MS = 15_000;

/** One tunnel on loopback: gateway, agent and upstream each in a process of its own, and clients in others. */
export class Rig {
  readonly gateway: Worker<GatewayMethods>;
  readonly upstream: Worker<UpstreamMethods>;
  readonly agent: AgentProcess;
  readonly upstreamAt: { readonly url: string; readonly ca: string };
  /** Of the gateway. */
  readonly url: string;
  readonly #ca: string;
  readonly #tokens: Bystander['tokens'];
  readonly #bench: Bench;
  readonly #clients: { stop(): Promise<void> }[] = [];

  private constructor(
    bench: Bench,
    { gateway, upstream, agent }: Pick<Rig, 'gateway' | 'upstream' | 'agent'>,
    at: { gateway: Rig['upstreamAt']; upstream: Rig['upstreamAt']; tokens: Bystander['tokens'] },
  ) {
    this.#bench = bench;
    this.gateway = gateway;
    this.upstream = upstream;
    this.agent = agent;
    this.url = at.gateway.url;
    this.#ca = at.gateway.ca;
    this.upstreamAt = at.upstream;
    this.#tokens = at.tokens;
  }

  /** `spec`: of the ClusterTunnel. `others`: of more, by name, whose agents are not started. */
  static async start(bench: Bench, spec: object = {}, others: Readonly<Record<string, object>> = {}): Promise<Rig> {
    const { programs, folder } = bench;
    const gateway = startGateway(programs, 'gateway');
    const upstream = Worker.start<UpstreamMethods>(programs.upstream);
    try {
      const { plan, ca, tokens } = await planGateway({ ...others, [TUNNEL]: spec });
      const [port, upstreamAt] = await Promise.all([
        gateway.call('start', { plan }),
        upstream.call('start', undefined),
      ]);
      const url = `https://127.0.0.1:${port}`;
      const agent = await AgentProcess.start({
        program: programs.clustertunnel,
        folder: join(folder, 'agent'),
        tunnel: TUNNEL,
        gateway: { url, ca, token: tokens.get(TUNNEL) ?? '' },
        upstream: upstreamAt,
      });
      await agent.ready();
      return new Rig(bench, { gateway, upstream, agent }, { gateway: { url, ca }, upstream: upstreamAt, tokens });
    } catch (error) {
      await Promise.all([gateway.stop(), upstream.stop()]);
      throw error;
    }
  }

  /** A process of clients. `isDirect`: they go to the upstream itself, without gateway and agent. */
  async clients(name: string, { isDirect = false } = {}): Promise<Worker<ClientsMethods>> {
    const worker = Worker.start<ClientsMethods>(this.#bench.programs.clients, name);
    this.#clients.push(worker);
    await worker.call('aim', isDirect ? this.upstreamAt : { url: `${this.url}/clusters/${TUNNEL}`, ca: this.#ca });
    return worker;
  }

  /** A process of strangers who hold connections of a gateway open. */
  async dribblers({ gateway, port, ca }: Bystander = this.own): Promise<Strangers> {
    const worker = Worker.start<DribblersMethods>(this.#bench.programs.dribblers);
    this.#clients.push(worker);
    await worker.call('aim', { port, ca });
    return { dribblers: worker, gateway };
  }

  /** What `stop` stops too. */
  alsoStop(worker: { stop(): Promise<void> }): void {
    this.#clients.push(worker);
  }

  /** A second gateway, of nobody: what happens to it costs this machine as much. */
  async bystander(specs: Readonly<Record<string, object>> = {}): Promise<Bystander> {
    const gateway = startGateway(this.#bench.programs, 'bystander');
    this.#clients.push(gateway);
    const { plan, ca, tokens } = await planGateway(specs);
    return { gateway, port: await gateway.call('start', { plan }), ca, tokens };
  }

  /** The gateway of the one tunnel. */
  get own(): Bystander {
    return { gateway: this.gateway, port: Number(new URL(this.url).port), ca: this.#ca, tokens: this.#tokens };
  }

  async counts(gateway = this.gateway): Promise<GatewayCounts> {
    const counts = await gateway.call('counts', undefined);
    if (counts === undefined) throw new Error('the gateway has not started');
    return counts;
  }

  agentState(): Promise<AgentState> {
    return this.agent.state();
  }

  watchMemory(): MemoryWatch {
    return new MemoryWatch({ gateway: this.gateway.pid, agent: this.agent.pid });
  }

  /** Resolves when nothing of any request is left at either end. */
  async quiet(): Promise<void> {
    let last = '';
    const look = async () => {
      const [gateway, agent] = await Promise.all([this.counts(), this.agentState()]);
      last = JSON.stringify({ gateway, agent });
      return leftovers(gateway, [agent]).length === 0 || undefined;
    };
    await until('nothing left of any request', look, QUIET_MS).catch((error: Error) => {
      throw new Error(`${error.message}: ${last}`);
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients, this.gateway, this.upstream].map((worker) => worker.stop()));
    await this.agent.kill();
  }
}

function startGateway({ gateway }: Bench['programs'], name: string): Worker<GatewayMethods> {
  return Worker.start<GatewayMethods>(gateway, name, { NODE_OPTIONS: deployedNodeOptions() });
}
