/** The schema keyword under which rules stand. manifest.ts makes CEL of it for the API server, rule-check.ts runs it here. */
export const RULES_KEYWORD = 'x-clustertunnel-rules';

/**
 * What a value must be beyond its type, told twice and in the same words: to the API server in CEL, to us as a predicate.
 * test/integration/crd.test.ts holds both against each other.
 */
export interface Rule<Value = never> {
  /** CEL; the value is `self`. */
  readonly cel: string;
  /** The same. Sees values of the right type only, but they may break other rules. */
  readonly holds: (value: Value) => boolean;
  /** Ends the sentence that begins with the field's path: what the value must be, and an example or a remedy. */
  readonly message: string;
  /** The field below that is to blame, such as ".noProxy"; without it the value itself. */
  readonly fieldPath?: string;
}

/** A rule that text keeps by its shape. */
export interface PatternRule extends Rule<string> {
  readonly pattern: string;
}

/** The text must match the pattern. It must mean the same in RE2 and in JavaScript: no lookaround, no \d, no flags. */
export function matching(pattern: string, message: string): PatternRule {
  const shape = new RegExp(pattern);
  return { cel: `self.matches(${celText(pattern)})`, holds: (text) => shape.test(text), message, pattern };
}

/** A CEL string literal. */
export function celText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/**
 * The value may never change. It needs the old value, so only the API server checks it. A value that is `invalid` (CEL)
 * gets no second sentence.
 */
export function immutable({ unless }: { readonly unless?: string } = {}) {
  return {
    rule: `self == oldSelf${unless === undefined ? '' : ` || ${unless}`}`,
    message: 'cannot be changed: delete the ClusterTunnel and create it again',
  } as const;
}
