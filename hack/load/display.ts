import { elapsed, type Progress } from '../lab/progress.ts';

const EVERY_MS = 2_000;

/** Says what goes on now and every two seconds, however often it is told and however long nothing new happens. */
export class Display {
  readonly #say: (line: string) => void;
  readonly #name: string;
  readonly #startedMs = Date.now();
  readonly #timer: NodeJS.Timeout;
  #sentence = 'starting';

  /** `say`: takes one line. */
  constructor(name: string, say: (line: string) => void) {
    this.#name = name;
    this.#say = say;
    this.#timer = setInterval(() => this.#speak(), EVERY_MS);
    this.#speak();
  }

  readonly progress: Progress = (sentence) => {
    this.#sentence = sentence;
  };

  /** So far, in ms. */
  get tookMs(): number {
    return Date.now() - this.#startedMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #speak(): void {
    this.#say(`  ${this.#name}, ${elapsed(this.tookMs)}: ${this.#sentence}`);
  }
}
