import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { at, onRealNodes, PROTOCOLS, stage, switches, WAYS } from './stage/stage.ts';

for (const protocol of PROTOCOLS) {
  onRealNodes(`cp over ${protocol}, straight to the API server and through the gateway`, () => {
    it('5 MB into a pod and back again are the same bytes', async () => {
      const environment = switches(protocol);
      for (const way of WAYS) {
        const there = join(stage().dir, `there-${way}`);
        const back = join(stage().dir, `back-${way}`);
        writeFileSync(there, randomBytes(5 * 2 ** 20));
        const inPod = `/tmp/${way}-${protocol}`;
        const copies = [
          await at(way, ['cp', there, `box:${inPod}`], { environment }),
          await at(way, ['cp', `box:${inPod}`, back], { environment }),
        ];
        expect(copies.map(({ exitCode }) => exitCode)).to.deep.equal([0, 0]);
        expect(sha256(back)).to.equal(sha256(there));
      }
    });
  });
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
