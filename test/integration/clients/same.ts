import { expect } from 'chai';
import type { KubectlResult } from '../../../hack/lab/kubectl.ts';
import { DIRECT, WAYS, type Way } from '../../support/parity/clients-lab.ts';
import { type Command, shown, titleOf } from '../../support/parity/command.ts';

/** What came of each command, by way. */
export type Results = ReadonlyMap<Way, readonly Promise<KubectlResult>[]>;

/** A day of work is done before the first command of the next way begins. */
const DAY_MS = 300_000;

/** A test for each command and way: directly it ends as it should, through the gateway it says the same. */
export function sameInAllWays(program: string, commands: readonly Command[], results: () => Results): void {
  const resultOf = (way: Way, at: number): Promise<KubectlResult> => {
    const result = results().get(way)?.[at];
    if (result === undefined) throw new RangeError(`${program} was not run ${way.name}`);
    return result;
  };
  for (const way of WAYS) {
    describe(`${program} ${way.name}`, function () {
      this.timeout(DAY_MS);
      commands.forEach((command, at) => {
        it(`${program} ${titleOf(command)}`, async () => {
          const direct = await resultOf(DIRECT, at);
          if (way.isDirect) expect(direct.exitCode, direct.stderr).to.equal(command.exitCode ?? 0);
          else expect(shown(command, await resultOf(way, at))).to.deep.equal(shown(command, direct));
        });
      });
    });
  }
}
