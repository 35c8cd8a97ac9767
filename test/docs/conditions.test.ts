import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Reason } from '../../operator/controller/status/reasons.ts';

const page = readFileSync(new URL('../../docs/conditions.md', import.meta.url), 'utf8');
const source = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('docs/conditions', () => {
  for (const reason of Object.values(Reason)) {
    it(`explains ${reason}`, () => expect(page).to.contain(`\`${reason}\``));
  }

  it("explains every reason of the agent's probe", () => {
    const reasons = [...source('agent/probe.ts').matchAll(/(?:say\((?:true|false), |\[)'([A-Z][A-Za-z]+)'/g)];
    expect(reasons.length, 'the probe has reasons').to.be.greaterThan(3);
    for (const [, reason] of reasons) expect(page).to.contain(`\`${reason}\``);
  });

  it('explains no reason that there is not', () => {
    const known = new Set<string>(Object.values(Reason));
    const elsewhere = source('agent/probe.ts') + source('operator/controller/remove/finalize.ts');
    const named = [...page.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell]) => [
      ...(cell ?? '').matchAll(/`([A-Z]\w+)`/g),
    ]);
    for (const [, reason = ''] of named) {
      expect(known.has(reason) || elsewhere.includes(`'${reason}'`), reason).to.equal(true);
    }
  });
});
