import { describeError } from '../process/redact.ts';

/** Why a command cannot do what it was asked to: three lines for a person. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly why: string;
  readonly remedy: string;

  constructor({ what, why, remedy }: { readonly what: string; readonly why: string; readonly remedy: string }) {
    super(what);
    this.why = why;
    this.remedy = remedy;
  }
}

/** What the program says about an error: what happened, why, what to do. */
export function failureText(failure: string | Error): string {
  if (typeof failure === 'string') return `error: ${failure}\n`;
  if (failure instanceof CommandError) {
    return `error: ${failure.message}\n  why: ${failure.why}\n  do:  ${failure.remedy}\n`;
  }
  return `error: ${describeError(failure)}\n`;
}

/** Says so on stderr and exits with 1. */
export function failed(failure: string | Error): never {
  process.stderr.write(failureText(failure));
  process.exit(1);
}

/** Writes a command's result to stdout. */
export function print(text: string): void {
  process.stdout.write(text);
}
