import type { Case } from './case.ts';
import { Skipped } from './case.ts';
import type { End } from './rules.ts';

/** No case takes longer: what it waits for has a shorter deadline of its own. */
const CASE_MS = 90_000;

export interface Outcome {
  readonly end: End;
  readonly rule: string;
  readonly title: string;
  readonly verdict: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped. */
  readonly detail: string;
  readonly ms: number;
}

/** A lab of one case at a time. */
export interface Bench<Lab> {
  readonly lab: Lab;
  clean(): Promise<void>;
}

/**
 * Runs the cases, slow ones first, each on a bench of its own. `onOutcome` hears of each as it ends; true is enough: no further
 * case begins, and those under way are not waited for.
 */
export async function runCases<Lab>(
  end: End,
  cases: readonly Case<Lab>[],
  benches: readonly Bench<Lab>[],
  onOutcome: (outcome: Outcome) => unknown = () => {},
): Promise<Outcome[]> {
  const queue = [...cases].sort((a, b) => Number(b.isSlow ?? false) - Number(a.isSlow ?? false));
  const outcomes = new Map<Case<Lab>, Outcome>();
  let stop = () => {};
  const enough = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const work = async ({ lab, clean }: Bench<Lab>) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const outcome = await runCase(end, next, lab);
      outcomes.set(next, outcome);
      if (onOutcome(outcome) === true) {
        queue.length = 0;
        stop();
      }
      await clean();
    }
  };
  const all = Promise.all(benches.map(work));
  // Benches that nobody waits for may break when their peers end.
  all.catch(() => {});
  await Promise.race([all, enough]);
  return cases.map((each) => outcomes.get(each)).filter((outcome) => outcome !== undefined);
}

async function runCase<Lab>(end: End, { rule, title, run }: Case<Lab>, lab: Lab): Promise<Outcome> {
  const startedMs = Date.now();
  const say = (verdict: Outcome['verdict'], detail: string): Outcome => ({
    ...{ end, rule, title, verdict, detail },
    ms: Date.now() - startedMs,
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the case did not end within ${CASE_MS} ms`)), CASE_MS);
  });
  try {
    await Promise.race([run(lab), late]);
    return say('passed', '');
  } catch (error) {
    if (error instanceof Skipped) return say('skipped', error.message);
    return say('failed', error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}
