import { readFileSync } from 'node:fs';

/** Who keeps a rule, and so who is tested. */
export type End = 'gateway' | 'agent';

/** One numbered rule of PROTOCOL.md. */
export interface Rule {
  /** section.number */
  readonly id: string;
  readonly section: string;
  readonly ends: readonly End[];
  readonly text: string;
}

const PROTOCOL = new URL('../../tunnel/PROTOCOL.md', import.meta.url);
const SECTION = /^## (\d+\. .+)$/;
const ROW = /^\| (\d+\.\d+) +\| (gateway|agent|both) +\| (.+?) *\|/;

/** The rules, in the order of the page: rows of its tables that begin with a number and who. */
export function readRules(text = readFileSync(PROTOCOL, 'utf8')): Rule[] {
  const rules: Rule[] = [];
  let section = '';
  for (const line of text.split('\n')) {
    section = SECTION.exec(line)?.[1] ?? section;
    const [, id, who, what] = ROW.exec(line) ?? [];
    if (id === undefined || what === undefined) continue;
    rules.push({ id, section, ends: who === 'both' ? ['gateway', 'agent'] : [who as End], text: what });
  }
  return rules;
}
