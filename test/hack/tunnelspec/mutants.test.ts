import { readFileSync } from 'node:fs';
import { patched } from '../../../hack/tunnelspec/live/patch.ts';
import { AGENT_MUTANTS } from '../../../hack/tunnelspec/mutants/agent.ts';
import { GATEWAY_MUTANTS } from '../../../hack/tunnelspec/mutants/gateway.ts';

describe('hack/tunnelspec/mutants', () => {
  for (const { rule, end, patches } of [...GATEWAY_MUTANTS, ...AGENT_MUTANTS]) {
    it(`${end} ${rule} fits the sources`, () => {
      for (const { file } of patches) {
        patched(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8'), file, patches);
      }
    });
  }
});
