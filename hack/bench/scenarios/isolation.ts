import { pause } from '../../lab/pause.ts';
import type { Worker } from '../../load/worker.ts';
import { Rig } from '../rig.ts';
import {
  atMost,
  type Bench,
  eachRatio,
  type Figures,
  interleave,
  latencyFigures,
  middleOf,
  type Outcome,
  type Rounds,
  ratioOf,
  type Scenario,
} from '../scenario.ts';
import { TROUBLED, Troubled } from '../troubled.ts';
import type { ClientsMethods } from '../workers/clients.ts';

const ROUNDS = 5;
const PHASE_MS = 8_000;
const WARM_UP_MS = 3_000;
/** Until the slow tunnel's workers are taken and its queue is long. */
const GATHERING_MS = 1_000;
const P50_GOAL = 1.2;
const P99_GOAL = 2;
const SMALL_PATH = '/api/v1/namespaces/default/configmaps/small';
/** 100 GETs a second in all, far from what two CPUs can do. */
const ASKERS = 4;
const ASK_EVERY_MS = 40;

/** Small GETs through a healthy tunnel, beside a dead one, a slow one and a flapping one at the same gateway. */
export const isolation: Scenario = { name: 'isolation', run };

/**
 * In the order of the contestants. What counts is here over elsewhere: as on machines of their own, the healthy tunnel is
 * alone at its gateway then, while agents, users and TLS of the troubled ones keep the CPUs of this machine as busy.
 */
const ELSEWHERE = 1;
const ALONE = 2;

async function run(bench: Bench): Promise<Outcome> {
  const rig = await Rig.start(bench, {}, TROUBLED);
  try {
    const askers = await rig.clients('askers');
    const here = await Troubled.start(bench, rig, rig.own, 'here');
    const elsewhere = await Troubled.start(bench, rig, await rig.bystander(TROUBLED), 'elsewhere');
    const measure = () => ask(askers, PHASE_MS);
    bench.progress('warming up');
    await ask(askers, WARM_UP_MS);
    const rounds = await interleave(
      [
        { name: 'beside a dead, a slow and a flapping tunnel', run: () => beside(here, measure) },
        { name: 'with those at another gateway', run: () => beside(elsewhere, measure) },
        { name: 'alone', run: measure },
      ],
      ROUNDS,
      bench.progress,
    );
    return outcome(rounds);
  } finally {
    await rig.stop();
  }
}

async function ask(askers: Worker<ClientsMethods>, durationMs: number): Promise<Figures> {
  const question = { path: SMALL_PATH, durationMs, connections: ASKERS, everyMs: ASK_EVERY_MS };
  return latencyFigures(await askers.call('ask', question, durationMs + 30_000), durationMs);
}

async function beside(troubled: Troubled, measure: () => Promise<Figures>): Promise<Figures> {
  const { result, cuts } = await troubled.during(async () => {
    await pause(GATHERING_MS);
    return measure();
  });
  return { ...result, cuts };
}

function outcome(rounds: Rounds): Outcome {
  const row = (at: number, name: string) => [
    name,
    `p50 ${middleOf(rounds, at, 'p50Ms').toFixed(1)} ms`,
    `p99 ${middleOf(rounds, at, 'p99Ms').toFixed(1)} ms`,
    `${middleOf(rounds, at, 'requestsPerSecond').toFixed(0)} GET/s`,
  ];
  const ratios = (under: number, name: string) => [
    `ratios, ${name}`,
    `p50 ${eachRatio(rounds, 'p50Ms', under)}`,
    `p99 ${eachRatio(rounds, 'p99Ms', under)}`,
  ];
  return {
    goals: [
      atMost('isolation: p50 of a healthy tunnel, here / elsewhere', ratioOf(rounds, 'p50Ms', ELSEWHERE), P50_GOAL),
      atMost('isolation: p99 of a healthy tunnel, here / elsewhere', ratioOf(rounds, 'p99Ms', ELSEWHERE), P99_GOAL),
    ],
    rows: [
      row(0, 'beside a dead, a slow and a flapping tunnel'),
      row(ELSEWHERE, 'with those at another gateway of this machine'),
      row(ALONE, 'alone'),
      ratios(ELSEWHERE, 'here / elsewhere'),
      ratios(ALONE, 'beside / alone'),
      ['the flapping tunnel', `${middleOf(rounds, 0, 'cuts').toFixed(0)} times cut in a phase`],
    ],
  };
}
