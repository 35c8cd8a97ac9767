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

/** One of two that are compared. */
export interface Contestant {
  readonly name: string;
  readonly run: () => Promise<Figures>;
}

/** Figures of each pair of runs. */
export type Pairs = readonly (readonly [Figures, Figures])[];

/** A B A B …: neighbours share the machine's mood. */
export async function interleave(a: Contestant, b: Contestant, count: number, progress: Progress): Promise<Pairs> {
  const pairs: [Figures, Figures][] = [];
  for (let at = 1; at <= count; at++) {
    const pair: Figures[] = [];
    for (const contestant of [a, b]) {
      progress(`pair ${at} of ${count}: ${contestant.name}`);
      pair.push(await contestant.run());
    }
    pairs.push(pair as [Figures, Figures]);
  }
  return pairs;
}

/** The middle one of the ratios a/b of one figure, pair by pair. */
export function ratioOf(pairs: Pairs, figure: string): number {
  return median(ratiosOf(pairs, figure));
}

/** The ratios a/b of one figure, for people. */
export function eachRatio(pairs: Pairs, figure: string): string {
  return ratiosOf(pairs, figure)
    .map((ratio) => ratio.toFixed(2))
    .join(' ');
}

/** The middle one of the values of one figure, of a (0) or b (1). */
export function middleOf(pairs: Pairs, side: 0 | 1, figure: string): number {
  return median(valuesOf(pairs, side, figure));
}

/** What answers to one question after another show. */
export function latencyFigures(latenciesMs: readonly number[], durationMs: number): Figures {
  return {
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    requestsPerSecond: (latenciesMs.length * 1_000) / durationMs,
  };
}

function ratiosOf(pairs: Pairs, figure: string): number[] {
  return pairRatios(valuesOf(pairs, 0, figure), valuesOf(pairs, 1, figure));
}

function valuesOf(pairs: Pairs, side: 0 | 1, figure: string): number[] {
  return pairs.map((pair) => pair[side][figure] ?? Number.NaN);
}

export function atMost(name: string, ratio: number, goal: number): Goal {
  return { name, ratio, goal, met: ratio <= goal };
}
