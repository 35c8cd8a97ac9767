import { turn } from '../../test/support/transport-pair.ts';
import type { Stream } from '../../tunnel/session/stream.ts';
import type { RequestHead } from '../../tunnel/wire/head.ts';
import { type Joined, join } from './joined.ts';
import { collectGarbage } from './memory.ts';
import { Census, Client, type ClientOptions, MOMENTS, type Moment, Server } from './owners.ts';
import { pick, seeded } from './random.ts';

const SLOTS = 200;
const TELL_EVERY = 20_000;
const QUIET_WITHIN_MS = 10_000;
/** Garbage is collected in steps: so often it may take until the last object is gone. */
const COLLECTIONS = 20;

/** The moment of a request travels as its path. */
const HEAD: RequestHead = {
  method: 'POST',
  path: '/',
  headers: [],
  identity: { user: 'jane', uid: '', groups: [] },
  traceId: '',
  deadlineMs: 0,
  isLongRunning: false,
  isUpgrade: false,
};

export interface CancelOptions {
  readonly streams: number;
  readonly seed: number;
  readonly progress?: (sentence: string) => void;
}

export interface CancelResult {
  readonly sentence: string;
  /** What should be gone and is not, in words. */
  readonly left: readonly string[];
}

/** Opens streams over a real WebSocket, cancels each at a random moment, and looks what is left of them. */
export async function cancelStreams({ streams, seed, progress = () => {} }: CancelOptions): Promise<CancelResult> {
  const random = seeded(seed);
  const census = new Census();
  const onFree = () => joined.agent.announce({ ordinary: 1, longRunning: 0 });
  const serve = (stream: Stream, { path }: RequestHead) =>
    new Server(stream, decodeURIComponent(path.slice(1)) as Moment, { census, onFree }).start();
  const joined: Joined = await join({ slots: SLOTS, serve });
  const counts = new Map<Moment, number>();
  let opened = 0;
  let toldAt = 0;
  while (opened < streams && joined.ends.length === 0) {
    for (; opened < streams && joined.gateway.hasRoom('ordinary') && census.open < SLOTS; opened++) {
      const moment = pick(MOMENTS, random);
      counts.set(moment, (counts.get(moment) ?? 0) + 1);
      openOne(joined.gateway, { moment, random, census });
    }
    await turn();
    if (opened < toldAt + TELL_EVERY) continue;
    toldAt = opened;
    collectGarbage();
    await turn();
    progress(`${opened} streams opened, ${census.open} open at either end, ${census.alive} objects alive`);
  }
  while (census.open > 0 && joined.ends.length === 0) await turn();
  const left = await leftOver(joined, census);
  const moments = [...counts].map(([moment, count]) => `${count} ${moment}`).join(', ');
  return { sentence: `${opened} streams (${census.born} objects): ${moments}`, left };
}

function openOne(gateway: Joined['gateway'], options: ClientOptions): void {
  const stream = gateway.open({ ...HEAD, path: `/${encodeURIComponent(options.moment)}` }, false);
  if (stream === undefined) throw new Error('there was room, and no stream');
  new Client(stream, options).start();
}

/** Everything that outlived its stream, first beside the living session, then after it. */
async function leftOver(joined: Joined, census: Census): Promise<string[]> {
  const { gateway, agent, budgets } = joined;
  const sessions = [gateway.session, agent.session];
  const giveUpAt = performance.now() + QUIET_WITHIN_MS;
  const isQuiet = () => gateway.freeSlots('ordinary') === SLOTS;
  while (!isQuiet() && performance.now() < giveUpAt) await turn();
  for (let left = COLLECTIONS; left > 0 && census.alive > 0; left--) {
    collectGarbage();
    await turn();
  }
  const left: Record<string, number> = {
    'ends of a session': joined.ends.length,
    'streams that are not closed': census.open,
    'objects alive': census.alive,
    'lost slots': SLOTS - gateway.freeSlots('ordinary'),
    'bytes of budget': budgets.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
    'deadlines beside the heartbeat': sessions.reduce(
      (sum, { vitals }) => sum + Math.max(0, vitals.deadlines.size - 2),
      0,
    ),
    'queued or counted': sessions.reduce(
      (sum, { counts }) => sum + counts.streams + counts.queuedBytes + counts.bufferedBytes,
      0,
    ),
  };
  await joined.close();
  left['deadlines after the end'] = sessions.reduce((sum, { vitals }) => sum + vitals.deadlines.size, 0);
  left['control frames after the end'] = sessions.reduce((sum, { counts }) => sum + counts.controlFrames, 0);
  return Object.entries(left)
    .filter(([, count]) => count !== 0)
    .map(([what, count]) => `${count} ${what}`);
}
