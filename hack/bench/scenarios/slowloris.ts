import { readFileSync } from 'node:fs';
import { until } from '../../lab/until.ts';
import type { Worker } from '../../load/worker.ts';
import { Rig, type Strangers } from '../rig.ts';
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
import type { ClientsMethods } from '../workers/clients.ts';

const ROUNDS = 5;
/** Longer than a head may take: those that are cut come again meanwhile. */
const PHASE_MS = 12_000;
const WARM_UP_MS = 3_000;
const GOAL = 1.5;
const DRIBBLERS = 2_000;
/** Some of them are always on their way back. */
const ENOUGH = 0.8 * DRIBBLERS;
const GATHERING_MS = 120_000;
const SMALL_PATH = '/api/v1/namespaces/default/configmaps/small';
/** 100 GETs a second in all, far from what two CPUs can do: what else runs on this machine is not the gateway's doing. */
const ASKERS = 4;
const ASK_EVERY_MS = 40;

/** Small GETs, with and without 2,000 connections of strangers who say a byte a second. */
export const slowloris: Scenario = { name: 'slowloris', run };

/**
 * In the order of the contestants. What counts is here over elsewhere: two thousand TLS clients, and a gateway that turns
 * them away, keep the CPUs of this one machine as busy when it is another gateway's connections that they hold.
 */
const ELSEWHERE = 1;
const WITHOUT = 2;

async function run(bench: Bench): Promise<Outcome> {
  const rig = await Rig.start(bench);
  try {
    const askers = await rig.clients('askers');
    const here = await rig.dribblers();
    const elsewhere = await rig.dribblers(await rig.bystander());
    const measure = () => ask(askers, rig.gateway.pid, PHASE_MS);
    bench.progress('warming up');
    await ask(askers, rig.gateway.pid, WARM_UP_MS);
    const rounds = await interleave(
      [
        { name: `with ${DRIBBLERS} dribblers`, run: () => withDribblers(rig, here, measure) },
        { name: 'with as many at another gateway', run: () => withDribblers(rig, elsewhere, measure) },
        { name: 'without', run: measure },
      ],
      ROUNDS,
      bench.progress,
    );
    await rig.quiet();
    return outcome(rounds);
  } finally {
    await rig.stop();
  }
}

async function ask(askers: Worker<ClientsMethods>, gatewayPid: number, durationMs: number): Promise<Figures> {
  const question = { path: SMALL_PATH, durationMs, connections: ASKERS, everyMs: ASK_EVERY_MS };
  const before = cpuMs(gatewayPid);
  const latenciesMs = await askers.call('ask', question, durationMs + 30_000);
  return {
    gatewayCpuShare: (cpuMs(gatewayPid) - before) / durationMs,
    ...latencyFigures(latenciesMs, durationMs),
  };
}

/** Of a process so far: user and system time in ms, at the kernel's usual 100 ticks a second. Source: proc(5). */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** They gather, figures are taken while they are there, and all of them go. */
async function withDribblers(
  rig: Rig,
  { dribblers, gateway }: Strangers,
  measure: () => Promise<Figures>,
): Promise<Figures> {
  const before = (await rig.counts(gateway)).connections;
  await dribblers.call('start', DRIBBLERS);
  const hasGathered = async () => ((await rig.counts(gateway)).connections >= before + ENOUGH ? true : undefined);
  await until('the dribblers to gather', hasGathered, GATHERING_MS);
  const { opened } = await dribblers.call('count', undefined);
  const figures = await measure();
  const { open, opened: atEnd } = await dribblers.call('count', undefined);
  await dribblers.call('stop', undefined);
  const isGone = async () => ((await rig.counts(gateway)).connections <= before + 1 ? true : undefined);
  await until('the dribblers to go', isGone, GATHERING_MS);
  return { ...figures, open, returnedPerSecond: ((atEnd - opened) * 1_000) / PHASE_MS };
}

function outcome(rounds: Rounds): Outcome {
  const middle = (at: number, figure: string) => middleOf(rounds, at, figure);
  const row = (at: number, name: string) => [
    name,
    `p50 ${middle(at, 'p50Ms').toFixed(1)} ms`,
    `p99 ${middle(at, 'p99Ms').toFixed(1)} ms`,
    `${middle(at, 'requestsPerSecond').toFixed(0)} GET/s`,
    `gateway ${(100 * middle(at, 'gatewayCpuShare')).toFixed(0)} % of a CPU`,
  ];
  const ratios = (under: number, name: string) => [
    `ratios, ${name}`,
    `p50 ${eachRatio(rounds, 'p50Ms', under)}`,
    `p99 ${eachRatio(rounds, 'p99Ms', under)}`,
  ];
  return {
    goals: [
      atMost('slowloris: p50 of small GETs, here / elsewhere', ratioOf(rounds, 'p50Ms', ELSEWHERE), GOAL),
      atMost('slowloris: p99 of small GETs, here / elsewhere', ratioOf(rounds, 'p99Ms', ELSEWHERE), GOAL),
    ],
    rows: [
      row(0, `with ${DRIBBLERS} dribblers`),
      row(ELSEWHERE, 'with as many at another gateway of this machine'),
      row(WITHOUT, 'without'),
      ratios(ELSEWHERE, 'here / elsewhere'),
      ratios(WITHOUT, 'with / without'),
      [
        'the dribblers',
        `${middle(0, 'open').toFixed(0)} there at the end of a phase`,
        `${middle(0, 'returnedPerSecond').toFixed(0)} a second cut and back again`,
      ],
    ],
  };
}
