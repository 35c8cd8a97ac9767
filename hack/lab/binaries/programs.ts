import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The programs of a control plane, and the client that speaks its version. */
export const PROGRAMS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'] as const;
export type Program = (typeof PROGRAMS)[number];

/** What a real node needs beside a container runtime. */
export const NODE_PROGRAMS = ['kubelet', 'kube-proxy'] as const;
export type NodeProgram = (typeof NODE_PROGRAMS)[number];

/** Programs that are found, downloaded or built together: one file, called by their names. */
export interface ProgramSet<Name extends string> {
  /** Names the file. */
  readonly key: string;
  /** As a person would say it. */
  readonly what: string;
  readonly programs: readonly Name[];
  /** Below the Go module: its main package. */
  readonly goPackage: string;
  /** What the first build takes on two cores. */
  readonly firstBuild: string;
  /** The command that provides them. */
  readonly remedy: string;
}

export const CONTROL_PLANE: ProgramSet<Program> = {
  key: 'control-plane',
  what: 'control plane binaries',
  programs: PROGRAMS,
  goPackage: '.',
  firstBuild: 'about 6 minutes',
  remedy: 'make lab-binaries',
};

export const NODE: ProgramSet<NodeProgram> = {
  key: 'node',
  what: 'node binaries',
  programs: NODE_PROGRAMS,
  goPackage: './node',
  firstBuild: 'about 2 minutes',
  remedy: 'npm run lab -- binaries --nodes kubelet',
};

/** All programs of one set, from one source: versions are never mixed. */
export interface ProgramFiles<Name extends string> {
  readonly files: Readonly<Record<Name, string>>;
  /** Where they come from, as a person would say it. */
  readonly source: string;
}

export type Binaries = ProgramFiles<Program>;
export type NodeBinaries = ProgramFiles<NodeProgram>;

/** The programs in `folder`, or the names of those that are missing there. */
export function programsIn<Name extends string>(
  { programs }: ProgramSet<Name>,
  folder: string,
  source: string,
): ProgramFiles<Name> | { readonly missing: readonly Name[] } {
  const missing = programs.filter((program) => !isExecutable(join(folder, program)));
  if (missing.length > 0) return { missing };
  const files = Object.fromEntries(programs.map((program) => [program, join(folder, program)])) as Record<Name, string>;
  return { files, source };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
