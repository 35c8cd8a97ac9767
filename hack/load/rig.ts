import { dirname, join } from 'node:path';
import type { AgentState } from '../../agent/agent.ts';
import type { GatewayCounts } from '../../operator/gateway/counts.ts';
import { MemoryWatch } from '../demo/memory.ts';
import { Authority } from '../lab/cluster/certificates.ts';
import { eventually } from '../lab/pause.ts';
import { AgentProcess } from './agent-process.ts';
import { deployedNodeOptions } from './deployed-node-options.ts';
import { executionsFrom, type UpstreamLine } from './executions.ts';
import { agentFootprint, type Footprint, footprintOf, moreDescriptors } from './footprint.ts';
import { type Planned, planGateway } from './gateway-plan.ts';
import type { Attempt, Execution, Fault, History } from './history.ts';
import { readJournal } from './journal.ts';
import { leftovers } from './leftovers.ts';
import { outcriesIn } from './outcries.ts';
import type { Load } from './scenario.ts';
import { Worker } from './worker.ts';
import type { AskersMethods } from './workers/askers.ts';
import type { GatewayMethods } from './workers/gateway.ts';
import type { UpstreamMethods } from './workers/upstream.ts';

export const TUNNEL = 'load';
const QUIET_MS = 5_000;
const BACK_MS = 15_000;

/** Between which addresses somebody may stand. */
export interface Between {
  /** What the agent dials instead of the gateway at this port. */
  readonly gateway?: (port: number) => Promise<string>;
  /** What the agent calls its API server instead of the one at this port. */
  readonly upstream?: (port: number) => Promise<string>;
}

export interface RigOptions extends Between {
  /** Of the ClusterTunnel. */
  readonly spec?: object;
  /** An agent that lost its session is back at once: a run has no time for the delays that spare a real gateway. */
  readonly isHasty?: boolean;
}

const HASTE = { minBackoffMs: 50, maxBackoffMs: 200 };
const HASTY_FLAGS = ['--min-backoff', '50ms', '--max-backoff', '200ms'];

/** One tunnel on loopback: gateway, agent, upstream and users, each a process of its own, all of which write down what they see. */
export class Rig {
  readonly #load: Load;
  readonly #planned: Planned;
  readonly #startAgent: () => Promise<AgentProcess>;
  readonly gateway: Worker<GatewayMethods>;
  readonly upstream: Worker<UpstreamMethods>;
  readonly #url: string;
  readonly #askers = new Map<string, Worker<AskersMethods>>();
  #agent: AgentProcess;
  #before: Readonly<Record<string, Footprint>> = {};

  private constructor(load: Load, parts: Parts) {
    this.#load = load;
    this.#planned = parts.planned;
    this.gateway = parts.gateway;
    this.upstream = parts.upstream;
    this.#startAgent = parts.startAgent;
    this.#agent = parts.agent;
    this.#url = parts.url;
  }

  /** Resolves when the agent has a session. */
  static async start(load: Load, options: RigOptions = {}): Promise<Rig> {
    const { programs } = load;
    const gateway = Worker.start<GatewayMethods>(programs.gateway, 'gateway', { NODE_OPTIONS: deployedNodeOptions() });
    const upstream = Worker.start<UpstreamMethods>(programs.upstream);
    try {
      const parts = await startParts(load, options, { gateway, upstream });
      const rig = new Rig(load, parts);
      await rig.#agent.ready();
      rig.#before = await rig.footprints();
      return rig;
    } catch (error) {
      await Promise.all([gateway.stop(), upstream.stop()]);
      throw error;
    }
  }

  get agent(): AgentProcess {
    return this.#agent;
  }

  /** A process of users. */
  async askers(name: string, protocol: Attempt['protocol']): Promise<Worker<AskersMethods>> {
    const { programs } = this.#load;
    const worker = Worker.start<AskersMethods>(programs.askers, name);
    this.#askers.set(name, worker);
    const journalPath = this.#journal(name);
    await worker.call('start', { url: this.#url, ca: this.#planned.ca, protocol, tunnel: TUNNEL, journalPath });
    return worker;
  }

  async counts(): Promise<GatewayCounts> {
    const counts = await this.gateway.call('counts', undefined);
    if (counts === undefined) throw new Error('the gateway has not started');
    return counts;
  }

  /** What the upstream saw so far. */
  async executions(): Promise<Execution[]> {
    return executionsFrom(await readJournal<UpstreamLine>(this.#journal('upstream')), []);
  }

  /** What of any request is there now. */
  async leftovers(): Promise<string[]> {
    const [gateway, agent] = await Promise.all([this.counts(), this.#agent.state()]);
    return leftovers(gateway, [agent]);
  }

  /** SIGKILL. `startAgent` brings another one. */
  killAgent(): Promise<void> {
    return this.#agent.kill();
  }

  async startAgent(): Promise<void> {
    this.#agent = await this.#startAgent();
  }

  watchMemory(): MemoryWatch {
    return new MemoryWatch({ gateway: this.gateway.pid, agent: this.#agent.pid });
  }

  async footprints(): Promise<{ readonly gateway: Footprint; readonly agent: Footprint }> {
    const state = await this.#agent.state();
    return { gateway: footprintOf(this.gateway.pid), agent: agentFootprint(this.#agent.pid, state) };
  }

  /** What everybody saw, once all is quiet. Afterwards nothing runs any more. */
  async finish(faults: readonly Fault[] = []): Promise<History> {
    this.#load.progress('silence: whatever is still there was left behind');
    const crashes = this.#crashes();
    await Promise.all([...this.#askers.values()].map((worker) => worker.stop()));
    const isWhole = crashes.length === 0;
    const left = isWhole ? await this.#left() : [];
    const withoutSession = isWhole ? await this.#withoutSession() : [];
    await this.stop();
    const names = [...this.#askers.keys()];
    const attempts = await Promise.all(names.map((name) => readJournal<Attempt>(this.#journal(name))));
    const logs = ['gateway', 'upstream', ...names].map((name) =>
      join(dirname(this.#load.programs.gateway), `${name}.log`),
    );
    return {
      attempts: attempts.flat(),
      executions: executionsFrom(await readJournal<UpstreamLine>(this.#journal('upstream')), faults),
      faults,
      leftovers: left,
      withoutSession,
      crashes,
      outcries: await outcriesIn([...logs, join(this.#load.folder, 'agent', 'agent.log')]),
    };
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#askers.values(), this.gateway, this.upstream].map((worker) => worker.stop()));
    await this.#agent.kill();
  }

  #journal(name: string): string {
    return join(this.#load.folder, `${name}.jsonl`);
  }

  async #left(): Promise<string[]> {
    let left: string[] = [];
    const isQuiet = async () => {
      left = [...(await this.leftovers()), ...moreDescriptors(this.#before, await this.footprints())];
      return left.length === 0;
    };
    await eventually(isQuiet, { timeoutMs: QUIET_MS });
    return left;
  }

  async #withoutSession(): Promise<string[]> {
    let state: AgentState | undefined;
    let sessions = 0;
    const isBack = async () => {
      [state, { sessions }] = await Promise.all([this.#agent.state(), this.counts()]);
      return state.dial === 'ready' && sessions === 1;
    };
    if (await eventually(isBack, { timeoutMs: BACK_MS })) return [];
    return [`the agent is ${state?.dial}, the gateway has ${sessions} sessions`];
  }

  #crashes(): string[] {
    const all: [string, { readonly hasCrashed: boolean; readonly pid: number }][] = [
      ['the gateway', this.gateway],
      ['the upstream', this.upstream],
      ['the agent', this.#agent],
      ...this.#askers,
    ];
    return all.filter(([, { hasCrashed }]) => hasCrashed).map(([who, { pid }]) => `${who} (process ${pid}) ended`);
  }
}

interface Parts {
  readonly planned: Planned;
  readonly gateway: Worker<GatewayMethods>;
  readonly upstream: Worker<UpstreamMethods>;
  readonly agent: AgentProcess;
  readonly startAgent: () => Promise<AgentProcess>;
  readonly url: string;
}

async function startParts(
  { folder, programs }: Load,
  { spec = {}, isHasty = false, gateway: beforeGateway, upstream: beforeUpstream }: RigOptions,
  { gateway, upstream }: Pick<Parts, 'gateway' | 'upstream'>,
): Promise<Parts> {
  const planned = await planGateway({ [TUNNEL]: spec });
  const authority = await Authority.create('load upstream');
  const pair = await authority.server('upstream', { dns: ['localhost'], ip: ['127.0.0.1'] });
  const tunnels = planned.plan.tunnels.map((each) => {
    return isHasty ? { ...each, settings: { ...each.settings, reconnect: HASTE } } : each;
  });
  const [gatewayPort, upstreamPort] = await Promise.all([
    gateway.call('start', { plan: { ...planned.plan, tunnels } }),
    upstream.call('start', {
      key: pair.keyPem,
      certificate: pair.certificatePem,
      port: 0,
      journalPath: join(folder, 'upstream.jsonl'),
    }),
  ]);
  const url = `https://127.0.0.1:${gatewayPort}`;
  const dialled = (await beforeGateway?.(gatewayPort)) ?? url;
  const called = (await beforeUpstream?.(upstreamPort)) ?? `https://127.0.0.1:${upstreamPort}`;
  const startAgent = () =>
    AgentProcess.start({
      program: programs.clustertunnel,
      folder: join(folder, 'agent'),
      tunnel: TUNNEL,
      gateway: { url: dialled, ca: planned.ca, token: planned.tokens.get(TUNNEL) ?? '' },
      upstream: { url: called, ca: authority.certificatePem },
      accountToken: TUNNEL,
      flags: isHasty ? HASTY_FLAGS : [],
      heapProgram: programs.heap,
    });
  return { planned, gateway, upstream, agent: await startAgent(), startAgent, url };
}
