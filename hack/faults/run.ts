import { pick, type Random, seeded, seedOf } from '../fuzz/random.ts';
import { pause } from '../lab/pause.ts';
import type { Progress } from '../lab/progress.ts';
import { executionsFrom, type UpstreamLine } from '../load/executions.ts';
import type { Attempt, Fault, History } from '../load/history.ts';
import { readJournal } from '../load/journal.ts';
import { leftovers } from '../load/leftovers.ts';
import { monotonicMs } from '../load/monotonic.ts';
import { outcriesIn } from '../load/outcries.ts';
import { type CutPlan, drawCut } from './cut-plan.ts';
import { AGENT_NAMES, type AgentName, makePlan } from './plan.ts';
import type { Programs } from './programs.ts';
import { Rig } from './rig.ts';
import type { Ordered } from './validity.ts';

/** Faults that did not happen by then do not happen. */
const FAULTS_MS = 390_000;
const WARM_UP_MS = 1_500;
const BETWEEN_KILLS_MS = 500;
const LOOK_EVERY_MS = 20;
const QUIET_MS = 5_000;
const BACK_MS = 15_000;
const PROGRESS_MS = 5_000;

export interface RunOptions extends Ordered {
  readonly seed: number;
  readonly programs: Programs;
  readonly folder: string;
  readonly progress: Progress;
}

/** Load, faults, quiet: what everybody saw of it. */
export class Run {
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly #faults: Fault[] = [];
  #cuts = 0;
  #isCutting = false;

  private constructor(options: RunOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
  }

  static async perform(options: RunOptions): Promise<History> {
    const run = new Run(options);
    const { folder, programs, seed } = options;
    const rig = await Rig.start({
      plan: await makePlan(),
      programs,
      folder,
      seed: seedOf(seed, 1),
      nextCut: () => run.#nextCut(),
      onCut: (agent, plan, passedBytes) => run.#noteCut(rig, agent, plan, passedBytes),
    });
    const timer = setInterval(() => options.progress(run.#sentence()), PROGRESS_MS);
    try {
      return await run.#perform(rig);
    } finally {
      clearInterval(timer);
      await rig.stop();
    }
  }

  async #perform(rig: Rig): Promise<History> {
    const { progress } = this.#options;
    await rig.startUsers();
    await pause(WARM_UP_MS);
    await this.#breakThings(rig);
    progress(`${this.#sentence()}; now every answer is awaited, then silence`);
    await rig.stopUsers();
    // Whoever has ended by himself tells nothing more.
    const isWhole = rig.crashes().length === 0;
    const left = isWhole ? await this.#leftovers(rig) : [];
    const withoutSession = isWhole ? await this.#withoutSession(rig) : [];
    const crashes = [...rig.crashes()];
    await rig.stop();
    const lines = await readJournal<UpstreamLine>(rig.upstreamJournal);
    return {
      attempts: (await Promise.all(rig.clientJournals.map((path) => readJournal<Attempt>(path)))).flat(),
      executions: executionsFrom(lines, this.#faults),
      faults: this.#faults,
      leftovers: left,
      withoutSession,
      crashes,
      outcries: await outcriesIn(rig.logs),
    };
  }

  /** Ends when all faults have happened, when it takes too long, or when a process ended by itself. */
  async #breakThings(rig: Rig): Promise<void> {
    const { cuts, kills } = this.#options;
    const endMs = monotonicMs() + FAULTS_MS;
    const isOver = () => monotonicMs() > endMs || rig.crashes().length > 0;
    this.#isCutting = true;
    rig.begin();
    for (let killed = 1; killed <= kills && !isOver(); killed++) {
      const due = (killed * cuts) / (kills + 1);
      while (this.#cuts < due && !isOver()) await pause(LOOK_EVERY_MS);
      await this.#kill(rig);
      await pause(this.#random(BETWEEN_KILLS_MS));
    }
    while (this.#cuts < cuts && !isOver()) await pause(LOOK_EVERY_MS);
    this.#isCutting = false;
    rig.spare();
  }

  #nextCut(): CutPlan | undefined {
    return this.#isCutting && this.#cuts < this.#options.cuts ? drawCut(this.#random) : undefined;
  }

  #noteCut(rig: Rig, agent: AgentName, plan: CutPlan, passedBytes: number): void {
    this.#cuts += 1;
    const how = `${plan.how} after ${passedBytes} bytes`;
    this.#faults.push({ kind: 'cut', atMs: monotonicMs(), agent, how });
    if (this.#cuts >= this.#options.cuts) rig.spare();
  }

  async #kill(rig: Rig): Promise<void> {
    const kind = pick(['agent', 'agent', 'agent', 'gateway', 'upstream'] as const, this.#random);
    const agent = pick(AGENT_NAMES, this.#random);
    const note = () => {
      const whose = kind === 'agent' ? agent : undefined;
      this.#faults.push({ kind, atMs: monotonicMs(), agent: whose, how: 'killed' });
    };
    if (kind === 'agent') await rig.killAgent(agent, note);
    else if (kind === 'gateway') await rig.killGateway(note);
    else await rig.killUpstream(note);
  }

  /** What there still is after so long a silence. */
  async #leftovers(rig: Rig): Promise<string[]> {
    const endMs = monotonicMs() + QUIET_MS;
    for (;;) {
      const left = leftovers(await rig.counts(), await rig.agentStates());
      if (left.length === 0 || monotonicMs() > endMs) return left;
      await pause(LOOK_EVERY_MS);
    }
  }

  async #withoutSession(rig: Rig): Promise<string[]> {
    const endMs = monotonicMs() + BACK_MS;
    for (;;) {
      const [{ sessions }, agents] = await Promise.all([rig.counts(), rig.agentStates()]);
      const away = agents.flatMap(({ dial }, at) => (dial === 'ready' ? [] : [`agent ${AGENT_NAMES[at]}: ${dial}`]));
      const found = [...away, ...(sessions === AGENT_NAMES.length ? [] : [`the gateway has ${sessions} sessions`])];
      if (found.length === 0 || monotonicMs() > endMs) return found;
      await pause(LOOK_EVERY_MS);
    }
  }

  #sentence(): string {
    const { cuts, kills } = this.#options;
    const killed = this.#faults.length - this.#cuts;
    return `${this.#cuts} of ${cuts} sessions cut, ${killed} of ${kills} processes killed`;
  }
}
