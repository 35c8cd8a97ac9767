import type { End } from '../rules.ts';
import type { Mutant } from './mutant.ts';

/** [file, from, to]: see Patch. */
export type Change = readonly [file: string, from: string, to: string];

/** A build of that end without this rule, or without a part of it. */
export function without(end: End, rule: string, ...changes: readonly Change[]): Mutant {
  return { rule, end, patches: changes.map(([file, from, to]) => ({ file, from, to })) };
}
