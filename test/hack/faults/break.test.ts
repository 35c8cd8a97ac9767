import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { BREAKS } from '../../../hack/faults/break.ts';
import { REPOSITORY } from '../../../hack/lab/paths.ts';
import { patched } from '../../../hack/tunnelspec/live/patch.ts';

describe('hack/faults/break', () => {
  for (const [name, { patches }] of Object.entries(BREAKS)) {
    it(`${name} fits the source`, () => {
      for (const { file } of patches) {
        const source = readFileSync(join(REPOSITORY, file), 'utf8');
        expect(patched(source, file, patches)).to.not.equal(source);
      }
    });
  }
});
