import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The programs of a control plane, and the client that speaks its version. */
export const PROGRAMS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'] as const;
export type Program = (typeof PROGRAMS)[number];

/** All programs of one control plane, from one source: versions are never mixed. */
export interface Binaries {
  readonly files: Readonly<Record<Program, string>>;
  /** Where they come from, as a person would say it. */
  readonly source: string;
}

/** The programs in `folder`, or the names of those that are missing there. */
export function programsIn(folder: string, source: string): Binaries | { readonly missing: readonly Program[] } {
  const missing = PROGRAMS.filter((program) => !isExecutable(join(folder, program)));
  if (missing.length > 0) return { missing };
  const files = Object.fromEntries(PROGRAMS.map((program) => [program, join(folder, program)])) as Record<
    Program,
    string
  >;
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
