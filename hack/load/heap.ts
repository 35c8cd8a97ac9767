import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Twice: what finalizers let go of only goes the second time. */
const COLLECTIONS = 2;

/** Bytes of JavaScript objects of this process that somebody still holds: after all garbage was collected. */
export function heldHeapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let at = 0; at < COLLECTIONS; at++) collect();
  return process.memoryUsage().heapUsed;
}
