/** One of them, or an escaped character of a value. */
const ESCAPED = /\\[\\,=]/g;

interface Term {
  readonly field: string;
  readonly isEqual: boolean;
  readonly value: string;
}

/**
 * The value that a field selector demands of a field; undefined when it demands none, or is malformed.
 * Source: k8s.io/apimachinery pkg/fields/selector.go (ParseSelector, RequiresExactMatch).
 */
export function demandedValue(selector: string, field: string): string | undefined {
  const terms = splitTerms(selector)
    .sort()
    .filter((term) => term !== '')
    .map(readTerm);
  if (terms.includes(undefined)) return undefined;
  return terms.find((term) => term?.isEqual && term.field === field)?.value;
}

/** At each comma that no backslash escapes. */
function splitTerms(selector: string): string[] {
  const terms = [''];
  for (const piece of selector.match(/\\?./gs) ?? []) {
    if (piece === ',') terms.push('');
    else terms[terms.length - 1] += piece;
  }
  return terms;
}

function readTerm(text: string): Term | undefined {
  const [, field = '', operator, escaped = ''] = /^(.*?)(!=|==|=)(.*)$/s.exec(text) ?? [];
  if (operator === undefined || /[\\,=]/.test(escaped.replace(ESCAPED, ''))) return undefined;
  return { field, isEqual: operator !== '!=', value: escaped.replace(ESCAPED, (pair) => pair.slice(1)) };
}
