import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Drops everything that nobody holds. */
export function collectGarbage(): void {
  collect ??= exposedCollector();
  collect();
}

/** Bytes that are held, inside and outside of the heap, after what nobody holds is gone. */
export function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** What `--expose-gc` would have given. */
function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
