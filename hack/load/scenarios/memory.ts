import { mebibytes } from '../../demo/memory.ts';
import { pause } from '../../lab/pause.ts';
import { until } from '../../lab/until.ts';
import { check } from '../check.ts';
import type { Member } from '../client/crowd.ts';
import { allSucceed } from '../failures.ts';
import { type Held, memoryVerdicts, ROLES, type Role } from '../memory-verdicts.ts';
import { Rig } from '../rig.ts';
import type { Load, Outcome, Scenario } from '../scenario.ts';
import { slope } from '../statistics.ts';
import type { Worker } from '../worker.ts';
import type { AskersMethods } from '../workers/askers.ts';

const PROTOCOLS = ['http/1.1', 'h2'] as const;
const USERS = 12;
const PARALLEL = 4;
/** Of each user in each cycle: some seconds, in which all workers are taken. */
const REQUESTS = 40;
/** The same requests each time. */
const SEED = 7;
/** Until heaps have the size that such a load needs. */
const WARM_UP_CYCLES = 6;
const CYCLES = 12;
const SHORT_CYCLES = 3;
const CYCLE_MS = 60_000;
const QUIET_MS = 5_000;
/** What one collection freed goes back to the system a moment later. */
const SETTLING_MS = 500;

/** The same load again and again: memory comes back each time. */
export const memory: Scenario = { name: 'memory', mostMs: 480_000, run };

async function run(load: Load): Promise<Outcome> {
  const rig = await Rig.start(load);
  try {
    const crowds = await Promise.all(PROTOCOLS.map((protocol, at) => rig.askers(`askers-${at}`, protocol)));
    const cycles = load.isShort ? SHORT_CYCLES : CYCLES;
    const held: Held[] = [];
    for (let at = 1; at <= WARM_UP_CYCLES + cycles; at++) {
      const last = held.at(-1);
      const soFar = last === undefined ? '' : `: ${ROLES.map((role) => heldText(role, last)).join(', ')}`;
      const isWarmUp = at <= WARM_UP_CYCLES;
      load.progress(`${isWarmUp ? 'warm-up' : 'cycle'} ${isWarmUp ? at : at - WARM_UP_CYCLES}${soFar}`);
      await cycle(crowds, at);
      await until('quiet', async () => ((await rig.leftovers()).length === 0 ? true : undefined), QUIET_MS);
      const now = await measure(rig);
      if (!isWarmUp) held.push(now);
    }
    const history = await rig.finish();
    return {
      verdicts: [...check(history), allSucceed('no request fails', history.attempts), ...memoryVerdicts(held)],
      rows: [['requests', `${history.attempts.length}`], ...ROLES.flatMap((role) => rowsOf(role, held))],
    };
  } finally {
    await rig.stop();
  }
}

async function cycle(crowds: readonly Worker<AskersMethods>[], at: number): Promise<void> {
  const members: Member[] = Array.from({ length: USERS }, (_, number) => ({
    user: `user-${number}`,
    parallel: PARALLEL,
  }));
  await Promise.all(
    crowds.map((crowd, number) => {
      const run = `cycle-${at}-${number}`;
      return crowd.call('perform', { run, members, count: REQUESTS, seed: SEED }, CYCLE_MS);
    }),
  );
}

/** After a full collection. */
async function measure(rig: Rig): Promise<Held> {
  const collect = () => Promise.all([rig.gateway.call('heap', undefined), rig.agent.heldHeapBytes()]);
  await collect();
  await pause(SETTLING_MS);
  const [gatewayHeap, agentHeap] = await collect();
  const { gateway, agent } = await rig.footprints();
  return {
    gateway: { residentBytes: gateway.bytes, heapBytes: gatewayHeap },
    agent: { residentBytes: agent.bytes, heapBytes: agentHeap },
  };
}

function heldText(role: Role, held: Held): string {
  const { residentBytes, heapBytes } = held[role];
  return `${role} ${mebibytes(residentBytes)}, heap ${inTenths(heapBytes)} MiB`;
}

function rowsOf(role: Role, held: readonly Held[]): string[][] {
  const resident = held.map((each) => each[role].residentBytes);
  const heaps = held.map((each) => each[role].heapBytes);
  return [
    [`${role}: resident, MiB`, `${resident.map(inTenths).join(' ')}`, `${inTenths(slope(resident))} a cycle`],
    [`${role}: heap, MiB`, `${heaps.map(inTenths).join(' ')}`, `${inTenths(slope(heaps))} a cycle`],
  ];
}

function inTenths(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(1);
}
