import type { SpecInput } from '../../../crds/types.ts';
import { PatchType } from '../../../operator/kube/client.ts';
import { describeMade, type Made, TUNNEL, theTunnel } from './made.ts';
import type { ByHand, History, Step } from './steps.ts';
import type { World } from './world.ts';

/** Whoever waits for calls that do not come goes on after this. */
const PATIENCE_MS = 100;
const never = new AbortController().signal;

/** Lets it all happen. At the end the tunnel may be there, be going, or be gone. */
export async function play(world: World, { spec, steps }: Pick<History, 'spec' | 'steps'>): Promise<void> {
  await world.calm();
  await world.create(spec);
  for (const each of steps) await playStep(world, each);
}

async function playStep(world: World, step: Step): Promise<void> {
  switch (step.do) {
    case 'meanwhile':
      return world.chaos.interrupt(step.moment, () => playByHand(world, step.step));
    case 'recreate':
      return recreate(world, step.spec, step.how);
    case 'putKubeconfig':
      return world.byHand(`Secret ${step.name}: ${step.content}`, () => world.putKubeconfig(step.name, step.content));
    case 'sessions':
      return world.setFacts(step.facts);
    case 'rollOut':
      return world.byHand('the Deployment controller', () => world.rollOut());
    case 'fail':
      return world.chaos.arm(step.fault);
    case 'cutWatches':
      return world.chaos.cutWatches();
    case 'die':
      return world.operator?.doom(step.moment);
    case 'stop':
      return world.stopOperator();
    case 'start':
      return world.startOperator();
    case 'wait':
      return world.chaos.nextCalls(step.calls, AbortSignal.timeout(PATIENCE_MS));
    default:
      return playByHand(world, step);
  }
}

async function playByHand(world: World, step: ByHand): Promise<void> {
  switch (step.do) {
    case 'editSpec':
      return edit(world, theTunnel, { spec: step.patch });
    case 'editTunnel':
      return edit(world, theTunnel, step.patch, step.subresource);
    case 'editObject':
      return edit(world, step.made, step.patch);
    case 'deleteObject':
      return remove(world, step.made);
    case 'replaceObject':
      return replace(world, step.made, step.by);
    default: {
      const unreachable: never = step;
      throw new RangeError(String(unreachable));
    }
  }
}

async function edit(world: World, made: Made, body: object, subresource?: string): Promise<void> {
  const { at, resource, address } = made;
  await world.byHand(`${describeMade(made)}: ${JSON.stringify(body)}`, () =>
    world.admin(at).patch(resource, { ...address, subresource }, { type: PatchType.merge, body }, never),
  );
}

async function remove(world: World, made: Made): Promise<void> {
  await world.byHand(`delete ${describeMade(made)}`, () =>
    world.admin(made.at).delete(made.resource, made.address, never),
  );
}

async function replace(world: World, made: Made, by: object): Promise<void> {
  const { at, resource, address } = made;
  const { apiVersion, kind } = resource;
  await world.byHand(`${describeMade(made)} replaced by ${JSON.stringify(by)}`, async () => {
    const labels = { 'app.kubernetes.io/managed-by': 'clustertunnel', 'clustertunnel.io/tunnel': TUNNEL };
    const metadata = { ...address, labels };
    await world.admin(at).delete(resource, address, never);
    await world.admin(at).create(resource, address, { apiVersion, kind, metadata, ...by }, never);
  });
}

async function recreate(world: World, spec: SpecInput, how: 'patient' | 'forced' | 'hasty'): Promise<void> {
  await world.delete();
  if (how === 'forced') await edit(world, theTunnel, { metadata: { finalizers: null } });
  if (how === 'patient') await world.untilGone();
  if ((await world.find()) === undefined) await world.create(spec);
}
