import type { Condition } from '../../../crds/types.ts';

/** A condition before it is known since when it holds. */
export type ConditionVerdict = Omit<Condition, 'lastTransitionTime'>;

/** The verdicts, dated: `lastTransitionTime` stays unless the status changed. Conditions that are no more are left out. */
export function mergeConditions(
  previous: readonly Condition[],
  verdicts: readonly ConditionVerdict[],
  now: Date,
): Condition[] {
  const at = now.toISOString().replace(/\.\d+Z$/, 'Z');
  return verdicts.map((verdict) => {
    const known = previous.find(({ type }) => type === verdict.type);
    return { ...verdict, lastTransitionTime: known?.status === verdict.status ? known.lastTransitionTime : at };
  });
}

/** Conditions that say with the same status what they did not say before: this reason. */
export function turnedTo(
  reasons: readonly string[],
  previous: readonly Condition[],
  current: readonly Condition[],
): Condition[] {
  return current.filter(({ type, status, reason }) => {
    const known = previous.find((each) => each.type === type);
    return reasons.includes(reason) && known !== undefined && known.status === status && known.reason !== reason;
  });
}

/** Conditions whose status is another than before; a condition seen for the first time is not in it. */
export function changedConditions(previous: readonly Condition[], current: readonly Condition[]): Condition[] {
  return current.filter((condition) => {
    const known = previous.find(({ type }) => type === condition.type);
    return known !== undefined && known.status !== condition.status;
  });
}
