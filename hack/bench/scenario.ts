import type { Progress } from '../lab/progress.ts';
import type { Programs } from './programs.ts';
import { median, pairRatios } from './statistics.ts';

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
  const values = (side: 0 | 1) => pairs.map((pair) => pair[side][figure] ?? Number.NaN);
  return median(pairRatios(values(0), values(1)));
}

export function atMost(name: string, ratio: number, goal: number): Goal {
  return { name, ratio, goal, met: ratio <= goal };
}
