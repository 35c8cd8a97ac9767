import { expect } from 'chai';
import fc from 'fast-check';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import { expectNothingLeft } from '../../conformance/harness.ts';
import { turn } from '../../support/transport-pair.ts';
import { CreditWorld, type Direction } from './credit-world.ts';

const KIBIBYTE = 1024;
const STREAMS = 4;

type Kind =
  | 'open'
  | 'write'
  | 'read'
  | 'end'
  | 'reset'
  | 'limit'
  | 'pass'
  | 'turn'
  | 'stall'
  | 'resume'
  | 'close'
  | 'rush';
const OFTEN: readonly Kind[] = [
  'write',
  'write',
  'read',
  'read',
  'read',
  'turn',
  'turn',
  'turn',
  'open',
  'pass',
  'resume',
];
const SELDOM: readonly Kind[] = ['rush', 'open', 'end', 'reset', 'limit', 'stall', 'pass'];
const step = fc.record({
  kind: fc.oneof(
    { arbitrary: fc.constantFrom(...OFTEN), weight: 10 },
    { arbitrary: fc.constantFrom(...SELDOM), weight: 2 },
  ),
  who: fc.nat(99),
  amount: fc.oneof(fc.nat(500), fc.nat(200_000), fc.nat(200_000)),
  isSo: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const at = (kind: Kind, amount = 0): Step => ({ kind, who: 1, amount, isSo: true });
/** A window that certainly grows, and then gives growth back. */
const FAST_THEN_SLOW: readonly Step[] = [
  ...[at('open'), at('turn'), at('turn'), at('turn'), at('turn')],
  at('rush', 200_000),
  ...Array.from({ length: 4 }, () => [
    ...[at('write', 100_000), at('turn'), at('turn'), at('turn'), at('pass', 2_500), at('read', 200_000)],
  ]).flat(),
];

function run(world: CreditWorld, { kind, who, amount, isSo }: Step): unknown {
  const side = isSo ? 'gateway' : 'agent';
  const live = world.live;
  const direction = live[who % Math.max(1, live.length)];
  const actions: Record<Kind, () => unknown> = {
    open: () => live.length < 2 * STREAMS && world.open(isSo, amount % 2 === 0),
    write: () => direction?.sender.stream.write(Buffer.alloc(amount)),
    read: () => direction !== undefined && world.consume(direction, amount),
    end: () => direction?.sender.stream.end(isSo ? ['X-Last', 'one'] : []),
    reset: () => direction !== undefined && world.reset(isSo ? direction.sender : direction.receiver),
    limit: () =>
      world.limit(side, {
        budgetBytes: (who + 1) * (amount % 3 === 0 ? 16 : 1024) * KIBIBYTE,
        maxWindowBytes: amount * 4,
        maxStreams: 1 + (who % 20),
      }),
    // Round trips, and now and then what makes a reader slow.
    pass: () => world.pass(amount < 20_000 ? amount % 3_000 : amount % 3),
    turn: () => turn(),
    stall: () => (isSo ? world.pair.left : world.pair.right).stall(),
    resume: () => (isSo ? world.pair.left : world.pair.right).resume(),
    close: () => (isSo ? world.gateway.gateway : world.agent.agent).session.close(ErrorCode.None, 'done'),
    rush: () => direction !== undefined && rush(world, direction, amount),
  };
  return actions[kind]();
}

/** A reader that keeps up for a while: its window grows. */
async function rush(world: CreditWorld, direction: Direction, bytes: number): Promise<void> {
  direction.sender.stream.write(Buffer.alloc(bytes));
  for (let rounds = 0; rounds < 6; rounds++) {
    for (let turns = 0; turns < 4; turns++) await turn();
    world.consume(direction, bytes);
    world.check();
  }
}

/** However the schedule left them, both sessions come to their end. */
async function finish(world: CreditWorld, how: 'close' | 'drain' | 'drop'): Promise<void> {
  world.pair.left.resume();
  world.pair.right.resume();
  await world.pair.settle();
  world.check();
  world.checkArrived();
  if (how === 'drop') world.pair.drop();
  if (how === 'drain') world.gateway.gateway.session.drain(ErrorCode.Draining, 'bye');
  world.dropAll();
  await world.pair.settle();
  world.agent.agent.session.close(ErrorCode.None, 'done');
  await world.pair.settle();
}

describe('tunnel/session conserves credit', () => {
  it('property: credit is neither lost nor made, and the budget holds what windows are, after every step of any schedule', async function () {
    this.timeout(60_000);
    let growths = 0;
    let shrinks = 0;
    const end = fc.constantFrom('close' as const, 'drain' as const, 'drop' as const);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 250, size: 'max' }), end, async (steps, how) => {
        const world = new CreditWorld();
        await world.pair.settle();
        for (const each of steps) {
          await run(world, each);
          world.check();
        }
        await finish(world, how);
        expectNothingLeft(world.gateway, world.agent);
        if (world.largestWindowBytes > 16 * KIBIBYTE) growths += 1;
        shrinks += world.shrinks;
      }),
      { numRuns: 80, examples: [[[...FAST_THEN_SLOW], 'close']] },
    );
    expect([growths > 0, shrinks > 0], 'windows that grew, and that gave growth back').to.deep.equal([true, true]);
  });
});
