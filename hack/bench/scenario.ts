import type { Progress } from '../lab/progress.ts';
import type { Programs } from './programs.ts';
import { median, pairRatios, quantile } from './statistics.ts';

/** Numbers of one run of one contestant, by name; the unit is in the name. */
export type Figures = Readonly<Record<string, number>>;

/** Something to reach: a ratio that may not be exceeded. */
export interface Goal {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly met: boolean;
}

export interface Outcome {
  readonly goals: readonly Goal[];
  /** Rows for people: what, then figures. */
  readonly rows: readonly (readonly string[])[];
}

export interface Bench {
  /** For this scenario alone; removed afterwards. */
  readonly folder: string;
  readonly programs: Programs;
  readonly progress: Progress;
  /** The longest form of what can be run shorter. */
  readonly isFull: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly run: (bench: Bench) => Promise<Outcome>;
}

/** One of those that are compared. */
export interface Contestant {
  readonly name: string;
  readonly run: () => Promise<Figures>;
}

/** Figures of each round, in the contestants' order. */
export type Rounds = readonly (readonly Figures[])[];

/** A B A B …: neighbours share the machine's mood. */
export async function interleave(
  contestants: readonly Contestant[],
  count: number,
  progress: Progress,
): Promise<Rounds> {
  const rounds: Figures[][] = [];
  for (let at = 1; at <= count; at++) {
    const round: Figures[] = [];
    for (const contestant of contestants) {
      progress(`round ${at} of ${count}: ${contestant.name}`);
      round.push(await contestant.run());
    }
    rounds.push(round);
  }
  return rounds;
}

/** The middle one of the ratios of one figure, round by round: of the first contestant over another's. */
export function ratioOf(rounds: Rounds, figure: string, under = 1): number {
  return median(ratiosOf(rounds, figure, under));
}

/** The same ratios, for people. */
export function eachRatio(rounds: Rounds, figure: string, under = 1): string {
  return ratiosOf(rounds, figure, under)
    .map((ratio) => ratio.toFixed(2))
    .join(' ');
}

/** The middle one of the values of one figure, of the contestant at `at`. */
export function middleOf(rounds: Rounds, at: number, figure: string): number {
  return median(valuesOf(rounds, at, figure));
}

/** What answers to one question after another show. */
export function latencyFigures(latenciesMs: readonly number[], durationMs: number): Figures {
  return {
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    requestsPerSecond: (latenciesMs.length * 1_000) / durationMs,
  };
}

function ratiosOf(rounds: Rounds, figure: string, under: number): number[] {
  return pairRatios(valuesOf(rounds, 0, figure), valuesOf(rounds, under, figure));
}

function valuesOf(rounds: Rounds, at: number, figure: string): number[] {
  return rounds.map((round) => round[at]?.[figure] ?? Number.NaN);
}

export function atMost(name: string, ratio: number, goal: number): Goal {
  return { name, ratio, goal, met: ratio <= goal };
}
