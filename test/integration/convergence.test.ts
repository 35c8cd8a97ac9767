import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import fc from 'fast-check';
import type { SpecInput } from '../../crds/types.ts';
import { loadKubeConfig } from '../../operator/kube/kube-config.ts';
import { createTransport, type Transport } from '../../operator/kube/transport.ts';
import { systemClock } from '../../process/clock.ts';
import { describeOnHub, type Hub, startHub, until } from '../operator/kube/hub.ts';
import { differences } from '../support/convergence/difference.ts';
import { play } from '../support/convergence/history.ts';
import type { Snapshot } from '../support/convergence/normalise.ts';
import { type History, historyAt } from '../support/convergence/steps.ts';
import { World } from '../support/convergence/world.ts';
import { adminKubeconfig, tokenKubeconfig } from '../support/remote-secret.ts';

const CONFIG = fileURLToPath(new URL('../../config/default', import.meta.url));
/** CONVERGENCE_SEED=… plays other histories, CONVERGENCE_RUNS=… more of them. */
const SEED = Number(process.env['CONVERGENCE_SEED'] ?? 20_261);
const RUNS = Number(process.env['CONVERGENCE_RUNS'] ?? 8);

describeOnHub('integration/convergence', function () {
  this.timeout(120_000 + RUNS * 10_000);
  let hub: Hub;
  let remote: Hub;
  let transport: Transport;
  let world: World | undefined;

  /** The world plays the Deployment controller itself, and wants no pods. */
  const withoutControllers = async (name: string): Promise<Hub> => {
    const started = await startHub(name);
    await Promise.all([started.cluster.controllerManager.stop(), started.cluster.scheduler.stop()]);
    return started;
  };

  const tokenOf = async (of: Hub, namespace: string, name: string): Promise<string> =>
    (await of.kubectl('-n', namespace, 'create', 'token', name)).stdout.trim();

  before(async () => {
    [hub, remote] = await Promise.all([withoutControllers('hub'), withoutControllers('remote')]);
    await hub.kubectl('apply', '-k', CONFIG);
    await until('the CRD to be served', async () => {
      const { exitCode } = await hub.kubectl('get', 'ct').catch(() => ({ exitCode: 1 }));
      return exitCode === 0;
    });
    // With the rights that config/ ships.
    const operator = tokenKubeconfig(hub.cluster, await tokenOf(hub, 'clustertunnel-system', 'clustertunnel-operator'));
    const config = loadKubeConfig({ text: JSON.stringify(operator), env: {} });
    transport = createTransport({ config, clock: systemClock });
  });

  afterEach(async () => {
    await world?.killOperator();
    world = undefined;
  });
  after(async () => {
    await transport?.close();
    await Promise.all([hub?.stop(), remote?.stop()]);
  });

  it('property: a Local tunnel becomes what its spec says whatever happened, and then all is quiet', async () => {
    world = new World({ hub: hub.client, transport });
    await forAllHistories(world, 'hub');
  });

  it('property: a Kubeconfig tunnel becomes what its spec says whatever happened, and then all is quiet', async () => {
    await remote.kubectl('create', 'serviceaccount', 'admin', '-n', 'kube-system');
    await remote.kubectl(
      'create',
      'clusterrolebinding',
      'admin',
      '--clusterrole=cluster-admin',
      '--serviceaccount=kube-system:admin',
    );
    const token = await tokenOf(remote, 'kube-system', 'admin');
    const kubeconfigs = [adminKubeconfig(remote.cluster), tokenKubeconfig(remote.cluster, token)] as const;
    world = new World({ hub: hub.client, transport, remote: { admin: remote.client, kubeconfigs } });
    await forAllHistories(world, 'remote');
  });
});

async function forAllHistories(world: World, at: 'hub' | 'remote'): Promise<void> {
  const lives = fc.asyncProperty(historyAt(at), async (lived) => {
    const { chaos } = world;
    chaos.journal.length = 0;
    try {
      const stands = await afterHistory(world, lived);
      await remove(world);
      const found = differences(stands, await fromScratch(world, stands, lived.facts));
      if (found.length > 0) throw new Error(found.join('\n'));
      await remove(world);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${chaos.journal.join('\n')}`, { cause: error });
    }
  });
  // What a failed test before this one left.
  if ((await world.find()) !== undefined) await remove(world);
  await fc.assert(lives, { numRuns: RUNS, seed: SEED, endOnFailure: true });
}

/** Plays the history, lets everything calm down, and says what stands then. */
async function afterHistory(world: World, lived: History): Promise<Snapshot> {
  await play(world, lived);
  const found = await world.find();
  if (found === undefined || found.metadata.deletionTimestamp !== undefined) {
    await world.untilGone();
    await world.create({});
  }
  world.setFacts(lived.facts);
  await world.settle();
  return world.snapshot();
}

/** A tunnel with the same spec that nothing ever happened to, and an operator that knows nothing. */
async function fromScratch(world: World, { tunnel }: Snapshot, facts: History['facts']): Promise<Snapshot> {
  const { lastDisconnect } = tunnel.status;
  await world.killOperator();
  world.setFacts(lastDisconnect === undefined ? facts : { ...facts, lastDisconnect });
  await world.calm();
  await world.create(tunnel.spec as SpecInput);
  await world.settle();
  return world.snapshot();
}

async function remove(world: World): Promise<void> {
  await world.delete();
  await world.untilGone();
  expect(await world.leftovers(), 'left after the deletion').to.deep.equal([]);
}
