import type { Progress } from '../lab/progress.ts';
import type { Verdict } from './check.ts';
import type { Programs } from './scenario-programs.ts';

export interface Load {
  /** For this scenario alone; removed afterwards. */
  readonly folder: string;
  readonly programs: Programs;
  readonly progress: Progress;
  /** Whether it works at all: a part of the load, for less time. */
  readonly isShort: boolean;
}

export interface Outcome {
  readonly verdicts: readonly Verdict[];
  /** Figures for people: what, then values. */
  readonly rows: readonly (readonly string[])[];
}

/** One idea of what has to be withstood. */
export interface Scenario {
  readonly name: string;
  /** After which it has failed. */
  readonly mostMs: number;
  readonly run: (load: Load) => Promise<Outcome>;
}

/** A rule that a figure keeps or breaks; `violation`: the figure in words. */
export function verdict(rule: string, isKept: boolean, violation: string): Verdict {
  return { rule, violations: isKept ? [] : [violation] };
}
