import { join } from 'node:path';
import { LEDGER_FOLDER } from './cluster/cluster.ts';
import { type ProcessRecord, readLedger } from './processes/ledger.ts';

export interface PodQuery {
  readonly namespace: string;
  /** The pod's name, or the beginning of it: a Deployment's name finds its pods. */
  readonly pod?: string;
  readonly container?: string;
}

/** The running processes of a cluster's pods: whose memory to read in /proc, whom to kill in a test. */
export function podProcesses(clusterDir: string, { namespace, pod = '', container }: PodQuery): ProcessRecord[] {
  return readLedger(join(clusterDir, LEDGER_FOLDER)).filter(
    ({ pod: owner }) =>
      owner?.namespace === namespace &&
      owner.pod.startsWith(pod) &&
      (container === undefined || owner.container === container),
  );
}
