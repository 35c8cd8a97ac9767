import type { Verdict } from './check.ts';
import type { Attempt } from './history.ts';

/** Every one of these attempts was answered by the target, to the last byte. Pure. */
export function allSucceed(rule: string, attempts: readonly Attempt[]): Verdict {
  return { rule, violations: attempts.filter((attempt) => !isSuccess(attempt)).map(told) };
}

/** A whole answer of the target, and a good one. */
export function isSuccess({ end, status, answers }: Attempt): boolean {
  return end === 'whole' && status === 200 && answers !== undefined;
}

function told({ method, id, protocol, status, end, text }: Attempt): string {
  const cause = /"causes":\[\{"reason":"([a-z_]+)"/.exec(text)?.[1];
  return `${method} ${id} over ${protocol}: ${status ?? 'no head'}${cause === undefined ? '' : ` ${cause}`}, ${end}`;
}
