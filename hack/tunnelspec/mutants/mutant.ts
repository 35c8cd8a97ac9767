import type { Patch } from '../live/patch.ts';
import type { End } from '../rules.ts';

/** A build in which one rule is switched off at one end. Every case of that rule and end must be able to see it: at least one fails. */
export interface Mutant {
  readonly rule: string;
  readonly end: End;
  readonly patches: readonly Patch[];
}
