import { table } from '../lab/output.ts';
import { faultsUnderPosts } from '../load/executions.ts';
import { type Attempt, type History, isWrite } from '../load/history.ts';

/** Counts of a run; the last line of `--json` has them all. */
export type Figures = Readonly<Record<string, number>>;

export function figuresOf({ attempts, executions, faults }: History): Figures {
  const cuts = faults.filter(({ kind }) => kind === 'cut').length;
  const writes = executions.filter(isWrite);
  return {
    cuts,
    kills: faults.length - cuts,
    faultsUnderPosts: faultsUnderPosts(executions, faults).length,
    attempts: attempts.length,
    writesExecuted: writes.length,
    writesRepeated: attempts.filter((attempt) => isWrite(attempt) && attempt.attempt > 1).length,
    wholeAnswers: attempts.filter(({ end, answers }) => end === 'whole' && answers !== undefined).length,
  };
}

/** What clients got, by kind and number: rows for people. */
export function answersTable(attempts: readonly Attempt[]): string {
  const counts = new Map<string, { reads: number; writes: number }>();
  for (const attempt of attempts) {
    const name = outcomeOf(attempt);
    const count = counts.get(name) ?? { reads: 0, writes: 0 };
    count[isWrite(attempt) ? 'writes' : 'reads'] += 1;
    counts.set(name, count);
  }
  const rows = [...counts].sort(([a], [b]) => a.localeCompare(b));
  return table([
    ['what clients got', 'reads', 'writes'],
    ...rows.map(([name, { reads, writes }]) => [name, `${reads}`, `${writes}`]),
  ]);
}

function outcomeOf({ end, status, answers, text, retryAfter }: Attempt): string {
  if (status === undefined) return `no answer: ${end}`;
  if (answers !== undefined) return `of the target: ${status} ${end}`;
  const code = /"causes":\[\{"reason":"([a-z_]+)"/.exec(text)?.[1] ?? '?';
  return `of the gateway: ${status} ${code}${retryAfter === undefined ? '' : ', Retry-After'}${end === 'whole' ? '' : ` ${end}`}`;
}
