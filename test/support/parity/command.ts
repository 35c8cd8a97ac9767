import type { KubectlResult } from '../../../hack/lab/kubectl.ts';
import { masked } from './masked.ts';

/** One command of a user's day. */
export interface Command {
  readonly args: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** How it ends, if not well. */
  readonly exitCode?: number;
  /** Lines may come in any order: what maps hold. */
  readonly isUnordered?: boolean;
  /** How many lines of progress come before the last one depends on when the command began to look. */
  readonly isProgress?: boolean;
}

/** The same command, which is to end with exit code 1. */
export function failing(command: Command): Command {
  return { ...command, exitCode: 1 };
}

/** As a person would read it in a list of tests. */
export function titleOf({ args, input }: Command): string {
  return `${args.join(' ')}${input === undefined ? '' : ` < ${input.slice(0, 60)}`}`;
}

/** What must not differ between two runs of a command. */
export function shown({ isUnordered = false, isProgress = false }: Command, result: KubectlResult) {
  const lines = (text: string): string[] => {
    const all = masked(text).trimEnd().split('\n');
    if (isProgress) return all.slice(-1);
    return isUnordered ? all.sort() : all;
  };
  return { exitCode: result.exitCode, stdout: lines(result.stdout), stderr: lines(result.stderr) };
}
