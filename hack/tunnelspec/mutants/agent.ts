import type { Mutant } from './mutant.ts';

/** One for each rule that an agent keeps. */
export const AGENT_MUTANTS: readonly Mutant[] = [];
