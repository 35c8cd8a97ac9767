import { parseArgs } from 'node:util';
import { BREAKS } from './break.ts';

const USAGE = `npm run faults                    cuts sessions and kills processes under load, then checks what everybody saw
  --seed N           says which faults and which load; a new one unless told
  --cuts N           1000: sessions cut at random bytes
  --kills N          50: processes killed
  --break NAME       a build with a known fault, which must be found: ${Object.keys(BREAKS).join(', ')}
  --json             the last line is {passed, failed, skipped, …}
  --keep             keeps journals and logs, which otherwise stay only after a violation`;

export interface Options {
  readonly seed: number;
  readonly cuts: number;
  readonly kills: number;
  readonly breakName: string | undefined;
  readonly isJson: boolean;
  readonly isKept: boolean;
}

/** A sentence for whoever started the program. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError naming the option and what it needs */
export function readOptions(args: readonly string[], newSeed: () => number): Options {
  const { seed, cuts, kills, break: breakName, json, keep } = parsed(args);
  if (breakName !== undefined && !Object.hasOwn(BREAKS, breakName)) {
    throw new UsageError(`--break must be one of ${Object.keys(BREAKS).join(', ')}, not ${breakName}`);
  }
  return {
    seed: seed === undefined ? newSeed() : count('seed', seed),
    cuts: count('cuts', cuts),
    kills: count('kills', kills),
    breakName,
    isJson: json,
    isKept: keep,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    ...{ seed: text, break: text, json: flag, keep: flag },
    ...{ cuts: { ...text, default: '1000' }, kills: { ...text, default: '50' } },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32) {
    throw new UsageError(`--${name} must be a whole number, not ${text}`);
  }
  return value;
}
