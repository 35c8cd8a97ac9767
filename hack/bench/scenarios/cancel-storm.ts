import { mebibytes } from '../../demo/memory.ts';
import { until } from '../../lab/until.ts';
import { agentFootprint, type Footprint, footprintOf } from '../../load/footprint.ts';
import { Rig } from '../rig.ts';
import { atMost, type Bench, type Outcome, type Scenario } from '../scenario.ts';

const WARM_UP = 3_000;
const COUNT = 10_000;
const CONNECTIONS = 48;
const WITHIN_MS = 40;
const STORM_MS = 300_000;
const GROWTH_BYTES = 32 * 1024 * 1024;
const LOG = '/api/v1/namespaces/default/pods/web/log?follow=true';
const LIST = '/api/v1/namespaces/default/configmaps';
const PATHS = [`${LIST}/small`, `${LIST}/small?hang=true`, `${LIST}?bytes=1000000`, `${LIST}?bytes=50000000`, LOG];

/** Ten thousand users who leave at any moment: what is left of them. */
export const cancelStorm: Scenario = { name: 'cancel-storm', run };

async function run(bench: Bench): Promise<Outcome> {
  const rig = await Rig.start(bench);
  try {
    const clients = await rig.clients('cancellers');
    const storm = (count: number) =>
      clients.call('cancel', { paths: PATHS, count, connections: CONNECTIONS, withinMs: WITHIN_MS }, STORM_MS);
    bench.progress(`warming up: ${WARM_UP} requests`);
    await storm(WARM_UP);
    await rig.quiet();
    const before = await footprint(rig);
    bench.progress(`${COUNT} requests`);
    const { cancelled, answered } = await storm(COUNT);
    await rig.quiet();
    await until('every request to be over at the upstream', async () =>
      (await rig.upstream.call('open', undefined)) === 0 ? true : undefined,
    );
    const after = await until('descriptors as before', async () => {
      const now = await footprint(rig);
      return NAMES.every((name) => now[name].descriptors <= before[name].descriptors) ? now : undefined;
    });
    const grown = (name: (typeof NAMES)[number]) =>
      atMost(
        `cancel-storm: growth of the ${name} / 32 MiB`,
        (after[name].bytes - before[name].bytes) / GROWTH_BYTES,
        1,
      );
    return {
      goals: [grown('gateway'), grown('agent')],
      rows: [
        [`${COUNT} requests`, `${cancelled} cancelled, ${answered} answered before that`],
        ...NAMES.map((name) => [
          name,
          `${mebibytes(before[name].bytes)} before, ${mebibytes(after[name].bytes)} after`,
          `${before[name].descriptors} descriptors before, ${after[name].descriptors} after`,
        ]),
      ],
    };
  } finally {
    await rig.stop();
  }
}

const NAMES = ['gateway', 'agent'] as const;

async function footprint({ gateway, agent }: Rig): Promise<Record<(typeof NAMES)[number], Footprint>> {
  return { gateway: footprintOf(gateway.pid), agent: agentFootprint(agent.pid, await agent.state()) };
}
