import type { CutPlan } from '../../faults/cut-plan.ts';
import { CuttingRelay } from '../../faults/cutting-relay.ts';
import { pause } from '../../lab/pause.ts';
import { until } from '../../lab/until.ts';
import { check } from '../check.ts';
import type { Operation } from '../client/draw.ts';
import { allSucceed } from '../failures.ts';
import type { Span } from '../fairness.ts';
import type { Fault, History } from '../history.ts';
import { monotonicMs } from '../monotonic.ts';
import { Rig, TUNNEL } from '../rig.ts';
import { type Load, type Outcome, type Scenario, verdict } from '../scenario.ts';
import { inside } from '../windows.ts';

const CYCLES = 40;
const SHORT_CYCLES = 6;
/** Every so manieth time the agent is killed instead of its connection cut. */
const KILL_EVERY = 5;
/** How long the tunnel is whole, and how long it is not before the agent may dial again. */
const WHOLE_MS = 1_500;
const USERS = Array.from({ length: 8 }, (_, at) => ({ user: `user-${at}`, parallel: 2 }));
const LAST_ANSWER_MS = 60_000;
/** Of each cycle: without requests nothing was shown. */
const LEAST_PER_CYCLE = 20;

const READ: Operation = {
  method: 'GET',
  holdMs: 10,
  requestBytes: 0,
  answerBytes: 5_000,
  isUnsized: true,
  parts: 1,
  pauseMs: 0,
  isSized: true,
  isWatch: false,
};
const OPERATIONS = [
  READ,
  { ...READ, method: 'POST', requestBytes: 3_000, answerBytes: 300 },
  { ...READ, holdMs: 150 },
  { ...READ, method: 'DELETE', answerBytes: 100 },
];

/** At once, and both sides hear of it. */
const CUT: CutPlan = {
  from: 'agent',
  afterBytes: Number.POSITIVE_INFINITY,
  how: 'rst',
  isAgentFirst: true,
  lagMs: 0,
  greetedMs: 0,
  ungreetedMs: 0,
};

/** The agent comes and goes all the time: whoever asks while it is there is answered, and nothing is left of the others. */
export const connectionFlap: Scenario = { name: 'connection-flap', mostMs: 300_000, run };

async function run(load: Load): Promise<Outcome> {
  const flapping = new Flapping();
  const rig = await Rig.start(load, { isHasty: true, gateway: (port) => flapping.open(port) });
  try {
    const crowds = [await rig.askers('askers-h1', 'http/1.1'), await rig.askers('askers-h2', 'h2')];
    for (const [at, crowd] of crowds.entries()) {
      await crowd.call('keep', { run: `crowd-${at}`, members: USERS, operations: OPERATIONS });
    }
    const cycles = load.isShort ? SHORT_CYCLES : CYCLES;
    for (let at = 1; at <= cycles; at++) {
      load.progress(`cycle ${at} of ${cycles}`);
      await flapping.once(rig, at);
    }
    flapping.wholeUntil(monotonicMs());
    await Promise.all(crowds.map((crowd) => crowd.call('rest', undefined, LAST_ANSWER_MS)));
    return outcome(await rig.finish(flapping.faults), flapping.spans, cycles);
  } finally {
    await rig.stop();
    flapping.close();
  }
}

/** Breaks the tunnel and waits until it is whole again. */
class Flapping {
  readonly faults: Fault[] = [];
  readonly spans: Span[] = [];
  #relay: CuttingRelay | undefined;
  #isCutting = false;
  #wholeSinceMs = monotonicMs();
  #how: CutPlan['how'] = 'rst';
  /** Connections of agents so far. */
  #dials = 0;

  /** A relay before the gateway at this port. */
  async open(targetPort: number): Promise<string> {
    const nextCut = () => {
      if (this.#isCutting) return { ...CUT, how: this.#how };
      this.#dials += 1;
      return undefined;
    };
    this.#relay = await CuttingRelay.open({ targetPort, nextCut, onCut: () => {} });
    return this.#relay.url;
  }

  async once(rig: Rig, at: number): Promise<void> {
    await pause(WHOLE_MS);
    this.wholeUntil(monotonicMs());
    if (at % KILL_EVERY === 0) await this.#kill(rig);
    else await this.#cut(rig, at % 2 === 0 ? 'fin' : 'rst');
    this.#wholeSinceMs = monotonicMs();
  }

  wholeUntil(toMs: number): void {
    this.spans.push({ fromMs: this.#wholeSinceMs, toMs });
  }

  close(): void {
    this.#relay?.close();
  }

  async #kill(rig: Rig): Promise<void> {
    this.faults.push({ kind: 'agent', atMs: monotonicMs(), agent: TUNNEL, how: 'killed' });
    await rig.killAgent();
    await rig.startAgent();
    await back(rig);
  }

  async #cut(rig: Rig, how: CutPlan['how']): Promise<void> {
    this.faults.push({ kind: 'cut', atMs: monotonicMs(), agent: TUNNEL, how });
    const before = this.#dials;
    this.#how = how;
    this.#isCutting = true;
    this.#relay?.begin();
    this.#isCutting = false;
    await until('the agent to dial again', () => (this.#dials > before ? true : undefined));
    await back(rig);
  }
}

/** Resolves when there is one session and both ends know it. */
async function back(rig: Rig): Promise<void> {
  await rig.agent.ready();
  await until('one session at the gateway', async () => ((await rig.counts()).sessions === 1 ? true : undefined));
}

function outcome(history: History, spans: readonly Span[], cycles: number): Outcome {
  const undisturbed = inside(history.attempts, spans);
  return {
    verdicts: [
      ...check(history),
      allSucceed('every request outside the cuts succeeds', undisturbed),
      verdict(
        `${LEAST_PER_CYCLE * cycles} requests outside the cuts`,
        undisturbed.length >= LEAST_PER_CYCLE * cycles,
        `${undisturbed.length}`,
      ),
      verdict(`${cycles} faults`, history.faults.length === cycles, `${history.faults.length}`),
    ],
    rows: [
      ['faults', `${history.faults.length}: ${history.faults.filter(({ kind }) => kind === 'agent').length} kills`],
      ['requests', `${history.attempts.length}, ${undisturbed.length} of them outside the cuts`],
    ],
  };
}
