import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { AgentState } from '../../agent/agent.ts';
import type { SpecInput } from '../../crds/types.ts';
import { PROGRAM } from '../../hack/lab/paths.ts';
import { until } from '../../hack/lab/until.ts';
import { AgentProcess, type AgentProcessOptions } from '../../hack/load/agent-process.ts';
import { type Client, openClient, type Protocol } from './gateway-fixture.ts';
import { InstalledLab, needControlPlane } from './installed-lab.ts';
import { StubUpstream } from './stub-upstream.ts';

export const TUNNEL = 'played';

/** What an agent is told of its gateway. */
export interface GatewayAddress {
  readonly url: string;
  readonly ca: string;
}

export interface PlayedTargetOptions {
  /** Of the ClusterTunnel. */
  readonly spec?: SpecInput;
  /** More environment of the operator. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Something between agent and gateway: where the agent is to dial instead. */
  readonly front?: (gateway: GatewayAddress) => Promise<GatewayAddress>;
}

/** What there is when nobody asks for anything. */
export interface Rest {
  readonly gateway: Readonly<Record<string, number>>;
  readonly gatewaySockets: number;
  readonly gatewayDescriptors: number;
  readonly agent: AgentState;
  readonly agentDescriptors: number;
}

const QUIET_MS = 20_000;

/**
 * The installed operator and the program's agent, each in its own process, and between them and the test a real tunnel.
 * Only the target's API server is the test's: no real one hangs, stops reading, or tells when a connection was closed.
 */
export class PlayedTarget {
  readonly lab: InstalledLab;
  readonly upstream: StubUpstream;
  readonly agent: AgentProcess;
  readonly #clients: Client[] = [];
  readonly #neighbours: { readonly agent: AgentProcess; readonly upstream: StubUpstream }[] = [];

  private constructor(lab: InstalledLab, upstream: StubUpstream, agent: AgentProcess) {
    this.lab = lab;
    this.upstream = upstream;
    this.agent = agent;
  }

  static async start(options: PlayedTargetOptions): Promise<PlayedTarget> {
    const { spec = {}, environment = {}, front = async (gateway) => gateway } = options;
    const lab = await InstalledLab.start({ targets: 0, restartBaseMs: 200, environment });
    let upstream: StubUpstream | undefined;
    try {
      await lab.apply(clusterTunnel(TUNNEL, spec));
      const role = ['clusterrolebinding', 'played', '--clusterrole=clustertunnel-user', '--user=alice'];
      await lab.hub(['create', ...role]);
      upstream = await StubUpstream.start();
      upstream.keepsBodies = false;
      const { token, ca } = credentialsIn(await lab.manifest(TUNNEL));
      const gateway = await front({ url: lab.lab.gatewayUrl, ca });
      const door = { url: gateway.url, ca: gateway.ca, token };
      const agent = await startAgent(lab, { tunnel: TUNNEL, gateway: door, upstream });
      return new PlayedTarget(lab, upstream, agent);
    } catch (error) {
      await upstream?.close();
      await lab.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const { agent, upstream } of [this, ...this.#neighbours]) {
      await agent.kill();
      await upstream.close();
    }
    await this.lab.stop();
  }

  /** One more tunnel, with an agent and an API server of its own. Resolves when it is Ready. */
  async neighbour(name: string): Promise<void> {
    const { lab } = this;
    await lab.apply(clusterTunnel(name));
    const upstream = await StubUpstream.start();
    const { token, ca } = credentialsIn(await lab.manifest(name));
    const gateway = { token, ca, url: lab.lab.gatewayUrl };
    const agent = await startAgent(lab, { tunnel: name, gateway, upstream });
    this.#neighbours.push({ agent, upstream });
    await lab.waitReady(name);
  }

  /** Alice, on connections of her own. Paths start with /clusters/. */
  client(protocol: Protocol): Client {
    const client = openClient(protocol, this.lab.lab.gatewayUrl, this.lab.gatewayCa);
    this.#clients.push(client);
    return client;
  }

  /** Hers in the lab. */
  get token(): string {
    return this.lab.lab.users.alice.token;
  }

  /** What is there at this moment. */
  async look(): Promise<Rest> {
    const [{ gateway, handles }, agent] = await Promise.all([this.lab.operatorState(), this.agent.state()]);
    return {
      gateway,
      gatewaySockets: handles['TCPSocketWrap'] ?? 0,
      gatewayDescriptors: descriptors(this.lab.operator().pid),
      agent,
      agentDescriptors: descriptors(this.agent.pid),
    };
  }

  /** Resolves when one session is there and nothing of any request. */
  rest(): Promise<Rest> {
    return this.#until('nothing left of any request', (now) => isAtRest(now));
  }

  /** Resolves when, besides, as many slots are free as at `before`, and no more sockets and descriptors are open. */
  restAsBefore(before: Rest): Promise<Rest> {
    return this.#until('everything as before', (now) => {
      const pairs = [
        [now.gateway['connections'], before.gateway['connections']],
        [now.gatewaySockets, before.gatewaySockets],
        [now.gatewayDescriptors, before.gatewayDescriptors],
        [now.agent.upstreamConnections, before.agent.upstreamConnections],
        [now.agentDescriptors, before.agentDescriptors],
      ] as const;
      const { ordinary, longRunning } = before.agent.granted;
      const isFree = now.agent.granted.ordinary === ordinary && now.agent.granted.longRunning === longRunning;
      return isAtRest(now) && isFree && pairs.every(([is = 0, was = 0]) => is <= was);
    });
  }

  /** Resolves with the first look of which `isSo`. @throws Error that tells the last one */
  async #until(what: string, isSo: (now: Rest) => boolean): Promise<Rest> {
    let last: Rest | undefined;
    const look = async () => {
      last = await this.look();
      return isSo(last) ? last : undefined;
    };
    return until(what, look, QUIET_MS).catch((error: unknown) => {
      throw new Error(`${what}: not so. ${JSON.stringify(last)}`, { cause: error });
    });
  }
}

/** A suite on one played target; or a skip that says why no control plane can be started here. */
export function describePlayed(
  title: string,
  options: PlayedTargetOptions,
  body: (target: () => PlayedTarget) => void,
) {
  describe(title, () => {
    let starting: Promise<PlayedTarget> | undefined;
    let started: PlayedTarget | undefined;
    before(async function () {
      needControlPlane(this);
      starting = PlayedTarget.start(options);
      started = await starting;
    });
    body(() => {
      if (started === undefined) throw new Error('the target has not started');
      return started;
    });
    after(async () => {
      // One that started too late for its hook has to go as well.
      await (await starting?.catch(() => undefined))?.stop();
    });
  });
}

function clusterTunnel(name: string, spec: SpecInput = {}) {
  return {
    apiVersion: 'clustertunnel.io/v1alpha1',
    kind: 'ClusterTunnel',
    metadata: { name },
    spec: { ...spec, agent: { placement: 'Manual', replicas: 1 } },
  };
}

function startAgent(lab: InstalledLab, options: Pick<AgentProcessOptions, 'tunnel' | 'gateway' | 'upstream'>) {
  const folder = join(lab.dir, `agent-${options.tunnel}`);
  const flags = ['--min-backoff', '100ms', '--max-backoff', '1s'];
  return AgentProcess.start({ program: PROGRAM, folder, flags, ...options });
}

function isAtRest({ gateway, agent }: Rest): boolean {
  const { requests, waiting, streams, queuedBytes, bufferedBytes, budgetBytes } = gateway;
  const { running, queued } = agent;
  const counts = [
    ...[requests, waiting, streams, queuedBytes, bufferedBytes, budgetBytes],
    ...[agent.streams, agent.queuedBytes, agent.bufferedStreamBytes, agent.bufferedBytes],
    ...[running.ordinary, running.longRunning, queued.ordinary, queued.longRunning],
  ];
  return gateway['sessions'] === 1 && agent.sessions === 1 && counts.every((count) => count === 0);
}

function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Of the Secret in an agent's manifest. */
function credentialsIn(manifest: string): { token: string; ca: string } {
  const secret = parseAllDocuments(manifest)
    .map((document) => document.toJS() as { kind: string; data?: Record<string, string> })
    .find(({ kind }) => kind === 'Secret');
  const read = (key: string) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8');
  return { token: read('token'), ca: read('ca.crt') };
}
