import { until } from '../../lab/until.ts';
import type { Worker } from '../../load/worker.ts';
import { HeartbeatWatch, type Pulse } from '../heartbeats.ts';
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
import type { ClientsMethods } from '../workers/clients.ts';

const ROUNDS = 5;
/** Longer than timeouts.backpressure, and long enough for a heartbeat. */
const PHASE_MS = 13_000;
const WARM_UP_MS = 3_000;
const GOAL = 1.5;
/** PING goes out every 10 s ± 20 %. */
const LONGEST_INTERVAL_MS = 12_000;
const GAP_GOAL = 1.1;

const DOWNLOADS = ['download-1', 'download-2', 'download-3', 'download-4'];
const DOWNLOAD_PATH = '/api/v1/namespaces/default/configmaps?bytes=100000000';
const SMALL_PATH = '/api/v1/namespaces/default/configmaps/small';
const LOG_PATH = '/api/v1/namespaces/default/pods/web/log?follow=true&mark=';
const ASKERS = 2;
/** Read before the reader stands still, and again when it goes on. */
const SIP_BYTES = 4_000_000;

/** Small GETs beside four downloads at full speed, with and without somebody who follows a log and does not read it. */
export const stalledReader: Scenario = { name: 'stalled-reader', run };

async function run(bench: Bench): Promise<Outcome> {
  const rig = await Rig.start(bench);
  try {
    const [readers, askers] = await Promise.all([rig.clients('readers'), rig.clients('askers')]);
    const fast = { path: DOWNLOAD_PATH, bytesPerSecond: Number.POSITIVE_INFINITY, isRepeated: true };
    await readers.call(
      'read',
      DOWNLOADS.map((name) => ({ name, ...fast })),
    );
    bench.progress('warming up');
    await ask(askers, WARM_UP_MS);
    const heartbeats = new HeartbeatWatch(async () => (await rig.agentState()).rttMs);
    const rounds = await interleave(
      [
        { name: 'with a stalled reader', run: () => withStalled(rig, readers, () => ask(askers, PHASE_MS)) },
        { name: 'without', run: () => ask(askers, PHASE_MS) },
      ],
      ROUNDS,
      bench.progress,
    );
    const pulse = heartbeats.stop();
    const states = await readers.call('states', DOWNLOADS);
    const broken = states.find(({ isIntact, error }) => !isIntact || error !== '');
    if (broken !== undefined) throw new Error(`a download broke: ${JSON.stringify(broken)}`);
    await readers.call('stop', DOWNLOADS);
    await rig.quiet();
    return outcome(rounds, pulse);
  } finally {
    await rig.stop();
  }
}

async function ask(askers: Worker<ClientsMethods>, durationMs: number): Promise<Figures> {
  const question = { path: SMALL_PATH, durationMs, connections: ASKERS };
  const latenciesMs = await askers.call('ask', question, durationMs + 30_000);
  return latencyFigures(latenciesMs, durationMs);
}

let logs = 0;

/** The reader stands still, figures are taken, and it goes on with the next byte. @throws Error if it cannot */
async function withStalled(
  rig: Rig,
  readers: Worker<ClientsMethods>,
  measure: () => Promise<Figures>,
): Promise<Figures> {
  logs += 1;
  const name = `log-${logs}`;
  const state = async () => (await readers.call('states', [name]))[0];
  const hasRead = (bytes: number) => async () => ((await state())?.bytes ?? 0) >= bytes || undefined;
  await readers.call('read', [{ name, path: `${LOG_PATH}${name}`, bytesPerSecond: Number.POSITIVE_INFINITY }]);
  await until('the beginning of a log', hasRead(SIP_BYTES));
  await readers.call('pace', { name, bytesPerSecond: 0 });
  const atStandstill = await standstill(rig, name);
  const figures = await measure();
  const [sent] = await rig.upstream.call('sent', [name]);
  if (sent?.isOpen !== true) throw new Error('the stalled stream was cut');
  if (sent.bytes > atStandstill) throw new Error('the upstream went on writing to a stalled reader');
  const before = (await state())?.bytes ?? 0;
  await readers.call('pace', { name, bytesPerSecond: Number.POSITIVE_INFINITY });
  // More than was on the way: the upstream has to write again.
  await until('the rest of a log', hasRead(atStandstill + SIP_BYTES));
  const after = await state();
  if (after?.isIntact !== true || after.error !== '') throw new Error(`the stalled stream lost bytes: ${after?.error}`);
  await readers.call('stop', [name]);
  return { ...figures, aheadMegabytes: (atStandstill - before) / 1e6 };
}

/** Bytes of an answer once its upstream can write no more of it. */
async function standstill(rig: Rig, mark: string): Promise<number> {
  const seen: number[] = [];
  await until('a standstill', async () => {
    const [sent] = await rig.upstream.call('sent', [mark]);
    seen.push(sent?.bytes ?? 0);
    const lately = seen.slice(-10);
    return (lately.length === 10 && lately.every((bytes) => bytes === lately[0])) || undefined;
  });
  return seen.at(-1) ?? 0;
}

function outcome(rounds: Rounds, { beats, longestGapMs, worstRttMs }: Pulse): Outcome {
  const row = (side: 0 | 1, name: string) => {
    const middle = (figure: string) => middleOf(rounds, side, figure).toFixed(1);
    return [name, `p50 ${middle('p50Ms')} ms`, `p99 ${middle('p99Ms')} ms`, `${middle('requestsPerSecond')} GET/s`];
  };
  return {
    goals: [
      atMost('stalled-reader: p50 of small GETs, with / without', ratioOf(rounds, 'p50Ms'), GOAL),
      atMost('stalled-reader: p99 of small GETs, with / without', ratioOf(rounds, 'p99Ms'), GOAL),
      atMost('stalled-reader: longest gap between heartbeats / 12 s', longestGapMs / LONGEST_INTERVAL_MS, GAP_GOAL),
    ],
    rows: [
      row(0, 'with a stalled reader'),
      row(1, 'without'),
      ['ratios of the rounds', `p50 ${eachRatio(rounds, 'p50Ms')}`, `p99 ${eachRatio(rounds, 'p99Ms')}`],
      [
        'heartbeats',
        `${beats} seen`,
        `longest gap ${(longestGapMs / 1_000).toFixed(1)} s`,
        `worst round trip ${worstRttMs.toFixed(0)} ms`,
      ],
      ['the stalled stream', 'alive after every phase, and went on with the next byte'],
    ],
  };
}
