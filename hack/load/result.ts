import type { Verdict } from './check.ts';

/** What of a scenario goes into the last line of `--json`. */
export interface Result {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  /** The rules that were broken. */
  readonly violated: readonly string[];
}

/** Without any rule nothing was shown. Pure. */
export function concluded(name: string, verdicts: readonly Verdict[], tookMs: number): Result {
  const violated = verdicts.filter(({ violations }) => violations.length > 0).map(({ rule }) => rule);
  return { name, ok: verdicts.length > 0 && violated.length === 0, seconds: Math.round(tookMs / 1_000), violated };
}
