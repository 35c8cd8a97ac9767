import type { Stage } from './stage.ts';

/** What a step shows to a person, line by line. */
export type Show = (text: string) => void;

export interface Step {
  /** A sentence: what is true when the step is done. */
  readonly name: string;
  /** @throws Error when it does not come true. */
  readonly run: (stage: Stage, show: Show) => Promise<void>;
}

/** Fails the step with a sentence. */
export function expect(isTrue: boolean, otherwise: string): asserts isTrue {
  if (!isTrue) throw new Error(otherwise);
}
