import { join } from 'node:path';
import type { CutPlan } from '../faults/cut-plan.ts';
import { CuttingRelay } from '../faults/cutting-relay.ts';
import { AgentProcess } from '../load/agent-process.ts';
import { Worker } from '../load/worker.ts';
import type { Bystander, Rig } from './rig.ts';
import type { Bench } from './scenario.ts';
import type { CrowdMethods } from './workers/crowd.ts';

/** Specs of the tunnels that fare badly, by name. Nobody dials for the dead one. */
export const TROUBLED: Readonly<Record<string, object>> = {
  dead: {},
  slow: {},
  flapping: { reconnect: { minBackoff: '100ms', maxBackoff: '1s' } },
};

const PATH = '/api/v1/namespaces/default/configmaps/small';
/** Each session of the flapping tunnel lives so long; one that is not there by then never will be. */
const FLAP_MS = 400;
const UNGREETED_MS = 5_000;
/** In one phase: less is no flapping. */
const LEAST_CUTS = 2;
const CUT: CutPlan = {
  from: 'agent',
  afterBytes: Number.POSITIVE_INFINITY,
  how: 'rst',
  isAgentFirst: true,
  lagMs: 0,
  greetedMs: FLAP_MS,
  ungreetedMs: UNGREETED_MS,
};
/** Of each troubled tunnel. More of the slow one than it has workers (64): the others wait at the gateway. */
const USERS = { dead: 20, slow: 150, flapping: 20 };
const PATIENCE_MS = 4_000;
const PAUSE_MS = 200;

/** Three tunnels of one gateway: one without an agent, one whose API server does not answer, one whose agent comes and goes. */
export class Troubled {
  readonly #relay: CuttingRelay;
  readonly #agents: readonly AgentProcess[];
  readonly #crowd: Worker<CrowdMethods>;
  readonly #at: Bystander;
  readonly #flapping: Flapping;

  private constructor(parts: {
    readonly relay: CuttingRelay;
    readonly agents: readonly AgentProcess[];
    readonly crowd: Worker<CrowdMethods>;
    readonly at: Bystander;
    readonly flapping: Flapping;
  }) {
    this.#relay = parts.relay;
    this.#agents = parts.agents;
    this.#crowd = parts.crowd;
    this.#at = parts.at;
    this.#flapping = parts.flapping;
  }

  /** `name`: of this one among others. */
  static async start(bench: Bench, rig: Rig, at: Bystander, name: string): Promise<Troubled> {
    const flapping: Flapping = { isOn: false, cuts: 0 };
    const relay = await CuttingRelay.open({
      targetPort: at.port,
      nextCut: () => (flapping.isOn ? CUT : undefined),
      onCut: () => {
        flapping.cuts += 1;
      },
    });
    const crowd = Worker.start<CrowdMethods>(bench.programs.crowd, `crowd-${name}`);
    const agentOf = (tunnel: string, url: string) =>
      AgentProcess.start({
        program: bench.programs.clustertunnel,
        folder: join(bench.folder, `agent-${name}-${tunnel}`),
        tunnel,
        gateway: { url, ca: at.ca, token: at.tokens.get(tunnel) ?? '' },
        upstream: rig.upstreamAt,
      });
    const agents = [await agentOf('slow', `https://127.0.0.1:${at.port}`), await agentOf('flapping', relay.url)];
    const troubled = new Troubled({ relay, agents, crowd, at, flapping });
    rig.alsoStop(troubled);
    await Promise.all(agents.map((agent) => agent.ready()));
    return troubled;
  }

  /**
   * Everything goes wrong while `work` lasts.
   * @returns its result, and how often the flapping tunnel was cut. @throws Error when that was too seldom to be flapping
   */
  async during<T>(work: () => Promise<T>): Promise<{ result: T; cuts: number }> {
    const before = this.#flapping.cuts;
    this.#flapping.isOn = true;
    this.#relay.begin();
    await this.#crowd.call('start', [
      this.#gathering('dead', PATH),
      this.#gathering('slow', `${PATH}?hang=true`),
      this.#gathering('flapping', PATH),
    ]);
    const result = await work();
    await this.#crowd.call('stop', undefined);
    this.#flapping.isOn = false;
    this.#relay.spare();
    await this.#agents[1]?.ready();
    const cuts = this.#flapping.cuts - before;
    if (cuts < LEAST_CUTS) throw new Error(`the flapping tunnel was cut ${cuts} times`);
    return { result, cuts };
  }

  async stop(): Promise<void> {
    this.#relay.close();
    await Promise.all([this.#crowd.stop(), ...this.#agents.map((agent) => agent.kill())]);
  }

  #gathering(tunnel: keyof typeof USERS, path: string) {
    const { port, ca } = this.#at;
    const url = `https://127.0.0.1:${port}/clusters/${tunnel}`;
    return { url, ca, path, users: USERS[tunnel], patienceMs: PATIENCE_MS, pauseMs: PAUSE_MS };
  }
}

interface Flapping {
  isOn: boolean;
  cuts: number;
}
