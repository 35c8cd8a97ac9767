import { readFileSync } from 'node:fs';
import { until } from '../../lab/until.ts';
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
  type Pairs,
  ratioOf,
  type Scenario,
} from '../scenario.ts';
import type { ClientsMethods } from '../workers/clients.ts';
import type { DribblersMethods } from '../workers/dribblers.ts';

const PAIRS = 5;
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

async function run(bench: Bench): Promise<Outcome> {
  const rig = await Rig.start(bench);
  try {
    const [askers, dribblers] = await Promise.all([rig.clients('askers'), rig.dribblers()]);
    bench.progress('warming up');
    await ask(askers, rig.gateway.pid, WARM_UP_MS);
    const pairs = await interleave(
      {
        name: `with ${DRIBBLERS} dribblers`,
        run: () => withDribblers(rig, dribblers, () => ask(askers, rig.gateway.pid, PHASE_MS)),
      },
      { name: 'without', run: () => ask(askers, rig.gateway.pid, PHASE_MS) },
      PAIRS,
      bench.progress,
    );
    await rig.quiet();
    return outcome(pairs);
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
  dribblers: Worker<DribblersMethods>,
  measure: () => Promise<Figures>,
): Promise<Figures> {
  const before = (await rig.counts()).connections;
  await dribblers.call('start', DRIBBLERS);
  const hasGathered = async () => ((await rig.counts()).connections >= before + ENOUGH ? true : undefined);
  await until('the dribblers to gather', hasGathered, GATHERING_MS);
  const { opened } = await dribblers.call('count', undefined);
  const figures = await measure();
  const { open, opened: atEnd } = await dribblers.call('count', undefined);
  await dribblers.call('stop', undefined);
  const isGone = async () => ((await rig.counts()).connections <= before + 1 ? true : undefined);
  await until('the dribblers to go', isGone, GATHERING_MS);
  return { ...figures, open, returnedPerSecond: ((atEnd - opened) * 1_000) / PHASE_MS };
}

function outcome(pairs: Pairs): Outcome {
  const middle = (side: 0 | 1, figure: string) => middleOf(pairs, side, figure);
  const row = (side: 0 | 1, name: string) => [
    name,
    `p50 ${middle(side, 'p50Ms').toFixed(1)} ms`,
    `p99 ${middle(side, 'p99Ms').toFixed(1)} ms`,
    `${middle(side, 'requestsPerSecond').toFixed(0)} GET/s`,
    `gateway ${(100 * middle(side, 'gatewayCpuShare')).toFixed(0)} % of a CPU`,
  ];
  return {
    goals: [
      atMost('slowloris: p50 of small GETs, with / without', ratioOf(pairs, 'p50Ms'), GOAL),
      atMost('slowloris: p99 of small GETs, with / without', ratioOf(pairs, 'p99Ms'), GOAL),
    ],
    rows: [
      row(0, `with ${DRIBBLERS} dribblers`),
      row(1, 'without'),
      ['ratios of the pairs', `p50 ${eachRatio(pairs, 'p50Ms')}`, `p99 ${eachRatio(pairs, 'p99Ms')}`],
      [
        'the dribblers',
        `${middle(0, 'open').toFixed(0)} there at the end of a phase`,
        `${middle(0, 'returnedPerSecond').toFixed(0)} a second cut and back again`,
      ],
    ],
  };
}
