import { until } from '../../lab/until.ts';
import { DRIPPING, EXEC, HELD, HELD_EXEC, SENDING, WATCH } from './operations.ts';
import type { Stage, Trial } from './stage.ts';

/** Of the tunnel: one worker of each kind, so that the next request waits. */
export const LEAVING_SPEC = { limits: { maxConcurrentRequests: 1 } };

/** A client goes away at each stage that its request can be in: the target hears of it, or never sees it. */
export const LEAVING: readonly Trial[] = [
  { name: 'queued', run: leftInQueue },
  { name: 'opened, while the target takes its time to be dialled', run: leftWhileDialled },
  { name: 'the request body under way', run: (stage) => leftAfter(stage, SENDING, (id) => stage.began(id)) },
  { name: 'before the head', run: (stage) => leftAfter(stage, HELD, (id) => stage.began(id)) },
  { name: 'in the body', run: (stage) => leftAfter(stage, DRIPPING, (id) => stage.answered(id)) },
  { name: 'a watch', run: (stage) => leftAfter(stage, WATCH, (id) => stage.answered(id)) },
  { name: 'an upgrade, before it is switched', isHttp1Only: true, run: leftBeforeSwitch },
  { name: 'an upgrade', isHttp1Only: true, run: leftAfterSwitch },
];

type Wait = (id: string) => Promise<unknown>;

async function leftAfter(stage: Stage, operation: Parameters<Stage['begin']>[0], wait: Wait): Promise<void> {
  const id = await stage.begin(operation);
  await wait(id);
  await stage.leave(id);
  await stage.aborted(id);
  await stage.nothingLeft();
}

async function leftInQueue(stage: Stage): Promise<void> {
  const holding = await stage.begin(HELD);
  await stage.began(holding);
  const id = await stage.begin(HELD);
  await stage.queued();
  await stage.leave(id);
  await until('an empty queue', async () => ((await stage.rig.counts()).waiting === 0 ? true : undefined));
  await stage.leave(holding);
  await stage.aborted(holding);
  await stage.nothingLeft();
  await stage.neverBegan(id);
}

/** The dial goes on, and keeps its worker so long: whoever leaves and comes again cannot make an agent dial without bound. */
async function leftWhileDialled(stage: Stage): Promise<void> {
  stage.relay.hold();
  const id = await stage.begin(HELD);
  await stage.running();
  await until('a connection that is held', () => (stage.relay.held > 0 ? true : undefined));
  await stage.leave(id);
  await until('the agent to hear', async () => ((await stage.rig.agent.state()).streams === 0 ? true : undefined));
  stage.relay.release();
  await stage.nothingLeft();
  await stage.neverBegan(id);
}

async function leftBeforeSwitch(stage: Stage): Promise<void> {
  const id = await stage.begin(HELD_EXEC, 'upgrade');
  await stage.began(id);
  await stage.leave(id);
  await stage.aborted(id);
  await stage.nothingLeft();
}

async function leftAfterSwitch(stage: Stage): Promise<void> {
  const id = await stage.begin(EXEC, 'upgrade');
  const { running } = await stage.rig.agent.state();
  if (running.longRunning !== 1) throw new Error(`the agent runs ${running.longRunning} upgrades`);
  await stage.leave(id);
  await stage.aborted(id);
  await stage.nothingLeft();
}
