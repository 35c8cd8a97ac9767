import { parseArgs } from 'node:util';

export interface Options {
  readonly names: readonly string[];
  readonly isShort: boolean;
  readonly isJson: boolean;
}

/** A sentence for whoever started the program. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** `known`: names of scenarios; `all` is all of them, in that order. @throws UsageError that says what there is */
export function readOptions(args: readonly string[], known: readonly string[]): Options {
  const { values, positionals } = parsed(args, known);
  const names = positionals.includes('all') ? known : positionals;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`no scenario ${unknown}\n${usage(known)}`);
  if (names.length === 0) throw new UsageError(usage(known));
  return { names: [...new Set(names)], isShort: values.short, isJson: values.json };
}

function parsed(args: readonly string[], known: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ args: [...args], options: { short: flag, json: flag }, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage(known)}`);
  }
}

function usage(known: readonly string[]): string {
  return `npm run load -- ${known.join(' | ')} | all
  --short   whether a scenario works at all: a part of the load
  --json    the last line is {scenarios: [{name, ok, …}]}`;
}
