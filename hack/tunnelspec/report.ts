import type { End, Rule } from './rules.ts';
import type { Outcome } from './run.ts';

export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const MARKS = { passed: '✔', failed: '✗', skipped: '-' } as const;

/** The outcomes of one end under the sections of PROTOCOL.md, as lines. */
export function report(end: End, outcomes: readonly Outcome[], rules: readonly Rule[]): string[] {
  const lines = [`${end}`];
  let section = '';
  for (const rule of rules.filter(({ ends }) => ends.includes(end))) {
    const cases = outcomes.filter((outcome) => outcome.rule === rule.id);
    if (cases.length === 0) continue;
    if (rule.section !== section) lines.push(`  ${rule.section}`);
    section = rule.section;
    for (const { verdict, title, detail } of cases) {
      lines.push(`    ${MARKS[verdict]} ${rule.id.padEnd(6)}${title}`);
      if (verdict === 'skipped') lines.push(`             skipped: ${detail}`);
      if (verdict === 'failed') lines.push(`             ${detail}`, `             the rule: ${rule.text}`);
    }
  }
  return lines;
}

export function summaryOf(outcomes: readonly Outcome[]): Summary {
  const count = (verdict: Outcome['verdict']) => outcomes.filter((outcome) => outcome.verdict === verdict).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}
