import { pause } from '../../lab/pause.ts';
import type { Operation } from '../client/draw.ts';
import type { Attempt } from '../history.ts';
import { DRIPPING, EXEC, HELD, SENDING, UNREAD, WATCH } from './operations.ts';
import type { Stage, Trial } from './stage.ts';

/** Of the tunnel: every limit of time is short. */
export const RUNNING_OUT_SPEC = {
  limits: { maxConcurrentRequests: 1, maxLongRunningRequests: 1 },
  timeouts: { connect: '2s', upstreamHeaders: '2s', request: '4s', backpressure: '2s' },
};

/** A limit of time is over at each stage that has one: client and target hear of it. */
export const RUNNING_OUT: readonly Trial[] = [
  { name: 'queued', run: lateInQueue },
  { name: 'opened, while the target takes its time to be dialled', run: lateWhileDialled },
  { name: 'the request body under way', run: (stage) => late(stage, SENDING, '504 request_timeout') },
  { name: 'before the head', run: (stage) => late(stage, HELD, '504 upstream_timeout') },
  { name: 'in the body', run: (stage) => late(stage, DRIPPING, 'cut') },
  { name: 'in the body, which nobody reads', run: lateUnread },
  { name: 'an upgrade has no limit', isHttp1Only: true, run: (stage) => unlimited(stage, EXEC, 'upgrade') },
  { name: 'a watch has no limit', run: (stage) => unlimited(stage, WATCH, 'begin') },
];

/** `expected`: `status code` of the gateway's answer, or `cut`. */
async function late(stage: Stage, operation: Operation, expected: string): Promise<void> {
  const id = await stage.begin(operation);
  expect(await stage.outcome(id), expected);
  await stage.aborted(id);
  await stage.nothingLeft();
}

/** Long-running requests have no end of their own, but wait for a worker no longer than others. */
async function lateInQueue(stage: Stage): Promise<void> {
  const holding = await stage.begin(WATCH);
  await stage.answered(holding);
  const id = await stage.begin(WATCH);
  expect(await stage.outcome(id), '429 queue_timeout');
  await stage.leave(holding);
  await stage.aborted(holding);
  await stage.nothingLeft();
  await stage.neverBegan(id);
}

async function lateWhileDialled(stage: Stage): Promise<void> {
  stage.relay.hold();
  const id = await stage.begin(HELD);
  const outcome = await stage.outcome(id);
  stage.relay.release();
  expect(outcome, '503 upstream_unreachable');
  await stage.nothingLeft();
  await stage.neverBegan(id);
}

/** Whoever reads nothing does not hear either that his answer was cut: he leaves afterwards. */
async function lateUnread(stage: Stage): Promise<void> {
  const id = await stage.begin(UNREAD);
  await stage.answered(id);
  await stage.aborted(id);
  await stage.leave(id);
  await stage.nothingLeft();
}

/** Longer than any of the limits. */
const LONG_MS = 6_000;

async function unlimited(stage: Stage, operation: Operation, how: 'begin' | 'upgrade'): Promise<void> {
  const id = await stage.begin(operation, how);
  await stage.began(id);
  await pause(LONG_MS);
  const { running } = await stage.rig.agent.state();
  if (running.longRunning !== 1) throw new Error(`${id} was cut`);
  await stage.leave(id);
  await stage.aborted(id);
  await stage.nothingLeft();
}

/** @throws Error when its client saw something else */
function expect({ id, status, end, text }: Attempt, expected: string): void {
  const code = /"causes":\[\{"reason":"([a-z_]+)"/.exec(text)?.[1];
  const seen = end === 'whole' ? `${status} ${code}` : end;
  if (seen !== expected) throw new Error(`the client of ${id} saw ${seen}, not ${expected}`);
}
