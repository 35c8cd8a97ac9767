import { expect } from 'chai';
import type { ClientsLab } from '../../support/parity/clients-lab.ts';
import { WAYS } from '../../support/parity/clients-lab.ts';
import { shown, titleOf } from '../../support/parity/command.ts';
import { READING } from '../../support/parity/reading.ts';

/** Commands that change nothing are run all ways at once. */
export function kubectlSuite(lab: () => ClientsLab): void {
  describe('kubectl reads', () => {
    for (const command of READING) {
      it(`kubectl ${titleOf(command)}`, async () => {
        const results = await Promise.all(WAYS.map((way) => lab().kubectl(way, command)));
        const [direct, ...through] = results.map((result) => shown(command, result));
        expect(direct?.exitCode, direct?.stderr.join('\n')).to.equal(command.exitCode ?? 0);
        for (const one of through) expect(one).to.deep.equal(direct);
      });
    }
  });
}
