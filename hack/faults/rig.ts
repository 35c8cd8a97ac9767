import { join } from 'node:path';
import type { AgentState } from '../../agent/agent.ts';
import type { GatewayCounts } from '../../operator/gateway/counts.ts';
import { seedOf } from '../fuzz/random.ts';
import { AgentProcess } from '../load/agent-process.ts';
import { Worker } from '../load/worker.ts';
import type { ClientsMethods } from '../load/workers/clients.ts';
import type { GatewayMethods } from '../load/workers/gateway.ts';
import type { UpstreamMethods } from '../load/workers/upstream.ts';
import { CuttingRelay, type CuttingRelayOptions } from './cutting-relay.ts';
import { AGENT_FLAGS, AGENT_NAMES, AGENTS, type AgentName, type Plan, TUNNELS } from './plan.ts';
import type { Programs } from './programs.ts';

const PROTOCOLS = ['http/1.1', 'h2'] as const;
const USERS_PER_TUNNEL = 6;
const LAST_ANSWER_MS = 60_000;

export interface RigOptions {
  readonly plan: Plan;
  readonly programs: Programs;
  /** For journals and logs. */
  readonly folder: string;
  readonly seed: number;
  readonly nextCut: CuttingRelayOptions['nextCut'];
  readonly onCut: (agent: AgentName, ...cut: Parameters<CuttingRelayOptions['onCut']>) => void;
}

/** Tunnels to one upstream through one gateway, each process of its own, a relay under each tunnel, and users. */
export class Rig {
  readonly #options: RigOptions;
  readonly #agents = new Map<AgentName, AgentProcess>();
  readonly #relays = new Map<AgentName, CuttingRelay>();
  readonly #clients: Worker<ClientsMethods>[] = [];
  #gateway: Worker<GatewayMethods> | undefined;
  #upstream: Worker<UpstreamMethods> | undefined;
  readonly #crashes: string[] = [];

  private constructor(options: RigOptions) {
    this.#options = options;
  }

  /** Resolves when every agent has a session. */
  static async start(options: RigOptions): Promise<Rig> {
    const rig = new Rig(options);
    try {
      await Promise.all([rig.#startGateway(), rig.#startUpstream()]);
      await Promise.all(AGENT_NAMES.map((name) => rig.#join(name)));
      return rig;
    } catch (error) {
      await rig.stop();
      throw error;
    }
  }

  get upstreamJournal(): string {
    return join(this.#options.folder, 'upstream.jsonl');
  }

  get clientJournals(): string[] {
    return PROTOCOLS.map((protocol) => this.#clientJournal(protocol));
  }

  get logs(): string[] {
    const { folder } = this.#options;
    const workers = ['gateway', 'upstream', ...PROTOCOLS.map(nameOf)].map((name) => join(folder, `${name}.log`));
    return [...workers, ...AGENT_NAMES.map((name) => join(folder, name, 'agent.log'))];
  }

  /** Who has ended by himself so far. */
  crashes(): readonly string[] {
    this.#noteCrash('the gateway', this.#gateway);
    this.#noteCrash('the upstream', this.#upstream);
    for (const [name, agent] of this.#agents) this.#noteCrash(`agent ${name}`, agent);
    for (const [at, clients] of this.#clients.entries()) this.#noteCrash(`the clients of ${PROTOCOLS[at]}`, clients);
    return this.#crashes;
  }

  async startUsers(): Promise<void> {
    const { plan, programs, seed } = this.#options;
    const shared = { url: plan.gatewayUrl, ca: plan.gatewayCa, tunnels: TUNNELS, usersPerTunnel: USERS_PER_TUNNEL };
    for (const [at, protocol] of PROTOCOLS.entries()) {
      const clients = Worker.start<ClientsMethods>(programs.clients, nameOf(protocol));
      this.#clients.push(clients);
      const own = { protocol, seed: seedOf(seed, at), journalPath: this.#clientJournal(protocol) };
      await clients.call('start', { ...shared, ...own });
    }
  }

  /** Resolves when the last answer has come. */
  async stopUsers(): Promise<void> {
    await Promise.all(this.#clients.map((clients) => clients.call('stop', undefined, LAST_ANSWER_MS)));
  }

  /** SIGKILL, and at once another one. `onKill`: right before. */
  async killGateway(onKill: () => void): Promise<void> {
    this.crashes();
    onKill();
    await this.#gateway?.stop();
    await this.#startGateway({ isRestart: true });
  }

  async killUpstream(onKill: () => void): Promise<void> {
    this.crashes();
    onKill();
    await this.#upstream?.stop();
    await this.#startUpstream();
  }

  async killAgent(name: AgentName, onKill: () => void): Promise<void> {
    this.crashes();
    onKill();
    await this.#agents.get(name)?.kill();
    await this.#startAgent(name);
  }

  /** Connections that are open are cut too. */
  begin(): void {
    for (const relay of this.#relays.values()) relay.begin();
  }

  /** Connections that are open stay from now on. */
  spare(): void {
    for (const relay of this.#relays.values()) relay.spare();
  }

  async counts(): Promise<GatewayCounts> {
    const counts = await this.#gateway?.call('counts', undefined);
    if (counts === undefined) throw new Error('the gateway has not started');
    return counts;
  }

  agentStates(): Promise<AgentState[]> {
    return Promise.all(AGENT_NAMES.flatMap((name) => this.#agents.get(name)?.state() ?? []));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((clients) => clients.stop()));
    await Promise.all([...this.#agents.values()].map((agent) => agent.kill()));
    for (const relay of this.#relays.values()) relay.close();
    await Promise.all([this.#gateway?.stop(), this.#upstream?.stop()]);
  }

  async #startGateway({ isRestart = false } = {}): Promise<void> {
    const { programs, plan } = this.#options;
    this.#gateway = Worker.start<GatewayMethods>(programs.gateway);
    await this.#gateway.call('start', { plan: plan.gateway, port: plan.gatewayPort, isRestart });
  }

  async #startUpstream(): Promise<void> {
    const { programs, plan } = this.#options;
    this.#upstream = Worker.start<UpstreamMethods>(programs.upstream);
    await this.#upstream.call('start', { ...plan.upstream, journalPath: this.upstreamJournal });
  }

  /** A relay and an agent. */
  async #join(name: AgentName): Promise<void> {
    const { plan, nextCut, onCut } = this.#options;
    const relay = await CuttingRelay.open({
      targetPort: plan.gatewayPort,
      nextCut,
      onCut: (...cut) => onCut(name, ...cut),
    });
    this.#relays.set(name, relay);
    await (await this.#startAgent(name)).ready();
  }

  async #startAgent(name: AgentName): Promise<AgentProcess> {
    const { plan, programs, folder } = this.#options;
    const tunnel = AGENTS[name];
    const agent = await AgentProcess.start({
      program: programs.clustertunnel,
      folder: join(folder, name),
      tunnel,
      gateway: {
        url: this.#relays.get(name)?.url ?? '',
        ca: plan.gatewayCa,
        token: plan.agentTokens.get(tunnel) ?? '',
      },
      upstream: { url: plan.upstreamUrl, ca: plan.upstreamCa },
      accountToken: name,
      flags: AGENT_FLAGS,
    });
    this.#agents.set(name, agent);
    return agent;
  }

  #clientJournal(protocol: (typeof PROTOCOLS)[number]): string {
    return join(this.#options.folder, `${nameOf(protocol)}.jsonl`);
  }

  #noteCrash(who: string, it: { readonly hasCrashed: boolean; readonly pid: number } | undefined): void {
    if (it?.hasCrashed !== true) return;
    const sentence = `${who} (process ${it.pid}) ended by itself`;
    if (!this.#crashes.includes(sentence)) this.#crashes.push(sentence);
  }
}

function nameOf(protocol: (typeof PROTOCOLS)[number]): string {
  return protocol === 'h2' ? 'clients-h2' : 'clients-h1';
}
