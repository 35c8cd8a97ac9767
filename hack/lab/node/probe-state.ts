import type { Probe } from '../api/pod.ts';

/** What a probe has come to say once enough answers in a row agree; undefined until then. */
export type Verdict = 'passing' | 'failing' | undefined;

/** Counts answers in a row against a probe's thresholds. */
export class ProbeState {
  readonly #successThreshold: number;
  readonly #failureThreshold: number;
  #last: boolean | undefined;
  #inARow = 0;

  constructor({ successThreshold = 1, failureThreshold = 3 }: Pick<Probe, 'successThreshold' | 'failureThreshold'>) {
    this.#successThreshold = successThreshold;
    this.#failureThreshold = failureThreshold;
  }

  /** Notes one answer. */
  record(succeeded: boolean): Verdict {
    this.#inARow = succeeded === this.#last ? this.#inARow + 1 : 1;
    this.#last = succeeded;
    if (succeeded) return this.#inARow >= this.#successThreshold ? 'passing' : undefined;
    return this.#inARow >= this.#failureThreshold ? 'failing' : undefined;
  }
}
