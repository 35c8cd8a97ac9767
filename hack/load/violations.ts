import type { Verdict } from './check.ts';

/** What of a rule's violations is shown. */
const MOST_SHOWN = 10;

/** What broke a rule, the first of it. */
export function violationsText(verdicts: readonly Verdict[]): string {
  return verdicts
    .filter(({ violations }) => violations.length > 0)
    .map(({ rule, violations }) => {
      const shown = violations.slice(0, MOST_SHOWN).map((violation) => `    ${violation}`);
      const rest = violations.length - shown.length;
      return [`  VIOLATED: ${rule}`, ...shown, ...(rest > 0 ? [`    and ${rest} more`] : [])].join('\n');
    })
    .join('\n');
}
