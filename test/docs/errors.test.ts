import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { codeOf, FAULT_KINDS, type FaultKind, rowOf } from '../../operator/gateway/front/fault.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
/** Text by the code that is its heading, and so its anchor. */
const sections = new Map(
  page
    .split(/^#{2,3} /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split('\n');
      return [heading, lines.join('\n')] as const;
    }),
);
const kindsOf = (code: string) => FAULT_KINDS.filter((kind) => codeOf(kind) === code);
const statusAndReason = (kind: FaultKind) => `${rowOf(kind).status} \`${rowOf(kind).reason}\``;

describe('docs/errors', () => {
  for (const kind of FAULT_KINDS) {
    it(`tells what ${kind} is: status, reason, hop, Retry-After, and whether the request ran`, () => {
      const { hop, retryAfterSeconds } = rowOf(kind);
      const text = sections.get(codeOf(kind)) ?? '';
      expect(text).to.contain(statusAndReason(kind));
      expect(text).to.match(new RegExp(`hop \`${hop}\``, 'i'));
      if (retryAfterSeconds !== undefined) expect(text).to.contain(`\`Retry-After: ${retryAfterSeconds}\``);
      expect(text).to.match(/Did not run\.|[Mm]ay have run[.,]|Ran[.,]/);
    });
  }

  it('explains no code that there is not', () => {
    const codes = [...page.matchAll(/^### (.+)$/gm)].map(([, code = '']) => code);
    expect(codes.filter((code) => kindsOf(code).length === 0)).to.deep.equal([]);
    expect(new Set(codes).size, 'codes that stand there twice').to.equal(codes.length);
  });

  it('names no status, reason or Retry-After that the code’s kinds do not have', () => {
    for (const [code, text] of sections) {
      const kinds = kindsOf(code);
      if (kinds.length === 0) continue;
      const told = [...text.matchAll(/\b([45]\d\d `[A-Z]\w+`)/g)].map(([, each]) => each);
      expect(new Set(told), code).to.deep.equal(new Set(kinds.map(statusAndReason)));
      const promised = [...text.matchAll(/`Retry-After: (\d+)`/g)].map(([, seconds]) => Number(seconds));
      const meant = kinds.flatMap((kind) => rowOf(kind).retryAfterSeconds ?? []);
      expect(new Set(promised), code).to.deep.equal(new Set(meant));
    }
  });

  it('promises "did not run" of nothing that may have run', () => {
    for (const kind of FAULT_KINDS) {
      const text = sections.get(codeOf(kind)) ?? '';
      if (!rowOf(kind).retryable) expect(text, kind).to.not.contain('Did not run');
    }
  });
});
