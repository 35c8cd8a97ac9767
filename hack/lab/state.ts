import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeKind } from './lab.ts';
import type { ProcessIdentity } from './processes/identity.ts';
import type { LabUsers } from './users.ts';

/** What a running lab tells other processes: `<folder>/state.json`, readable by its owner only. */
export interface LabState {
  readonly name: string;
  readonly phase: 'starting' | 'ready' | 'failed';
  /** Why it failed. */
  readonly problem?: string;
  readonly supervisor: ProcessIdentity;
  readonly targets: number;
  readonly nodes: NodeKind;
  readonly gatewayUrl?: string;
  readonly kubectl?: string;
  readonly users?: LabUsers;
  readonly clusters: readonly ClusterState[];
}

export interface ClusterState {
  readonly name: string;
  readonly dir: string;
  readonly url: string;
  readonly kubeconfig: string;
  readonly podRange?: string;
}

export function readState(folder: string): LabState | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')) as LabState;
  } catch {
    return undefined; // no lab here
  }
}

export function writeState(folder: string, state: LabState): void {
  const file = join(folder, 'state.json');
  writeFileSync(`${file}.new`, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
