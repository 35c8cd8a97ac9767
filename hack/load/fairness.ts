import type { Attempt } from './history.ts';
import { spread } from './statistics.ts';

/** Times of `monotonicMs`. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Fairness {
  /** Answers of the target by user, the most first. */
  readonly counts: readonly (readonly [user: string, answers: number])[];
  /** Of the user with the most over the one with the fewest. */
  readonly ratio: number;
}

/** How the target's answers of some time were shared out among these users. Pure. @throws RangeError without users */
export function fairness(attempts: readonly Attempt[], users: readonly string[], { fromMs, toMs }: Span): Fairness {
  const counts = new Map(users.map((user) => [user, 0]));
  for (const { user, endedMs, answers } of attempts) {
    const count = counts.get(user);
    if (count !== undefined && answers !== undefined && endedMs >= fromMs && endedMs < toMs)
      counts.set(user, count + 1);
  }
  return { counts: [...counts].sort(([, a], [, b]) => b - a), ratio: spread([...counts.values()]) };
}
