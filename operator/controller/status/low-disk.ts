import { measured } from '../../../crds/validate.ts';
import type { Observation } from './observe.ts';

/** One sentence about the agent that has too little disk left; undefined: none has. */
export function lowDisk({ spec, sessions }: Pick<Observation, 'spec' | 'sessions'>): string | undefined {
  const { freeDisk } = sessions;
  if (spec === undefined || freeDisk === undefined) return undefined;
  const { minFreeDiskBytes: least } = spec.health;
  if (freeDisk.bytes >= measured('bytes', least)) return undefined;
  // The limit, not what is left: that would be another sentence, and another write, at each look.
  return `Agent ${freeDisk.agent} has less than ${least} free on its root file system (spec.health.minFreeDiskBytes): free some on its node, before it cannot be restarted there.`;
}
