import { eventually, pause } from '../../lab/pause.ts';
import { check } from '../check.ts';
import type { Member } from '../client/crowd.ts';
import type { Operation } from '../client/draw.ts';
import { allSucceed } from '../failures.ts';
import { type Fairness, fairness, type Span } from '../fairness.ts';
import type { History } from '../history.ts';
import { monotonicMs } from '../monotonic.ts';
import { Rig } from '../rig.ts';
import { type Load, type Outcome, type Scenario, verdict } from '../scenario.ts';
import type { Worker } from '../worker.ts';
import type { AskersMethods } from '../workers/askers.ts';

const PROTOCOLS = ['http/1.1', 'h2'] as const;
/** Of each protocol. One wants four and a half times as much as each other: a queue without turns would give it that. */
const GREEDY = 180;
const MODEST = 40;
const MODEST_USERS = 8;
const CONCURRENT = PROTOCOLS.length * (GREEDY + MODEST_USERS * MODEST);
/** Some are always between an answer and their next request. */
const ENOUGH = 0.9;
const GATHERING_MS = 60_000;
const MEASURED_MS = 20_000;
const SHORT_MS = 5_000;
const LOOK_EVERY_MS = 100;
const LAST_ANSWER_MS = 60_000;
const MOST_SPREAD = 3;

/** Mostly reads, as clusters see them, held long enough that all workers are taken. */
const READ: Operation = {
  method: 'GET',
  holdMs: 60,
  requestBytes: 0,
  answerBytes: 2_000,
  isUnsized: false,
  parts: 1,
  pauseMs: 0,
  isSized: true,
  isWatch: false,
};
const WRITE: Operation = { ...READ, method: 'POST', requestBytes: 1_000, answerBytes: 300 };
const OPERATIONS = [READ, READ, WRITE, READ];

/** A thousand requests under way at all times, of users who want more than they get: no error, and everybody's fair share. */
export const highVolume: Scenario = { name: 'high-volume', mostMs: 240_000, run };

async function run(load: Load): Promise<Outcome> {
  const rig = await Rig.start(load);
  try {
    load.progress(`${CONCURRENT} requests gather`);
    const crowds = await Promise.all(PROTOCOLS.map((protocol, at) => rig.askers(`askers-${at}`, protocol)));
    await Promise.all(crowds.map((crowd, at) => crowd.call('keep', keepOf(at))));
    await eventually(async () => (await rig.counts()).requests >= ENOUGH * CONCURRENT, { timeoutMs: GATHERING_MS });
    const { span, least } = await watch(rig, load);
    load.progress('the last answers are awaited');
    await Promise.all(crowds.map((crowd: Worker<AskersMethods>) => crowd.call('rest', undefined, LAST_ANSWER_MS)));
    return outcome(await rig.finish(), span, least);
  } finally {
    await rig.stop();
  }
}

function membersOf(at: number): Member[] {
  const modest = Array.from({ length: MODEST_USERS }, (_, number) => ({
    user: `modest-${at}-${number}`,
    parallel: MODEST,
  }));
  return [{ user: `greedy-${at}`, parallel: GREEDY }, ...modest];
}

function keepOf(at: number) {
  return { run: `crowd-${at}`, members: membersOf(at), operations: OPERATIONS };
}

/** Until it lasted long enough; `least`: requests that the gateway had at once, at every look at least. */
async function watch(rig: Rig, { progress, isShort }: Load): Promise<{ span: Span; least: number }> {
  const fromMs = monotonicMs();
  const toMs = fromMs + (isShort ? SHORT_MS : MEASURED_MS);
  let least = Number.POSITIVE_INFINITY;
  while (monotonicMs() < toMs) {
    const { requests, waiting } = await rig.counts();
    least = Math.min(least, requests);
    progress(`${requests} requests under way, ${waiting} of them wait for a worker`);
    await pause(LOOK_EVERY_MS);
  }
  return { span: { fromMs, toMs: monotonicMs() }, least };
}

function outcome(history: History, span: Span, least: number): Outcome {
  const users = PROTOCOLS.flatMap((_, at) => membersOf(at).map(({ user }) => user));
  const shares = fairness(history.attempts, users, span);
  return {
    verdicts: [
      ...check(history),
      allSucceed('no request fails', history.attempts),
      verdict(
        `${ENOUGH * CONCURRENT} requests were under way all the time`,
        least >= ENOUGH * CONCURRENT,
        `${least} at one moment`,
      ),
      verdict(
        `nobody gets more than ${MOST_SPREAD} times what another gets`,
        shares.ratio <= MOST_SPREAD,
        sharesText(shares),
      ),
    ],
    rows: [
      ['requests', `${history.attempts.length}, at least ${least} under way at once`],
      ['answers by user, most over fewest', sharesText(shares)],
    ],
  };
}

function sharesText({ counts, ratio }: Fairness): string {
  const [most, fewest] = [counts[0], counts.at(-1)].map((count) => `${count?.[0]} ${count?.[1]}`);
  return `${ratio.toFixed(2)}: ${most}, ${fewest}`;
}
