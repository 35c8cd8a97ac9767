import { join } from 'node:path';
import { isExecutable } from '../is-executable.ts';
import { BINARIES_MODULE, HELM_MODULE } from '../paths.ts';

/** The programs of a control plane, and the client that speaks its version. */
export const PROGRAMS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'] as const;
export type Program = (typeof PROGRAMS)[number];

/** What a real node needs beside a container runtime. */
export const NODE_PROGRAMS = ['kubelet', 'kube-proxy'] as const;
export type NodeProgram = (typeof NODE_PROGRAMS)[number];

/** A client that the tests run beside kubectl. */
export type HelmProgram = 'helm';

/** Programs that are found, downloaded or built together: one file, called by their names. */
export interface ProgramSet<Name extends string> {
  /** Names the file. */
  readonly key: string;
  /** As a person would say it. */
  readonly what: string;
  readonly programs: readonly Name[];
  /** Whether people have their own on PATH, which is then taken. */
  readonly isEverybodys?: boolean;
  /** Folder of the Go module, whose go.mod is the only place that names a version. */
  readonly module: string;
  /** Its main package: below the module's folder, or what the module requires. */
  readonly goPackage: string;
  /** What is required: its version is that of the programs. */
  readonly release: string;
  /** Go variables in which the programs keep their version. */
  readonly stamps: (version: string) => Readonly<Record<string, string>>;
  /** What the first build takes on two cores. */
  readonly firstBuild: string;
  /** The command that provides them. */
  readonly remedy: string;
}

function kubernetesStamps(version: string): Record<string, string> {
  const [major = '', minor = ''] = version.slice(1).split('.');
  const variable = (name: string): string => `k8s.io/component-base/version.${name}`;
  return { [variable('gitVersion')]: version, [variable('gitMajor')]: major, [variable('gitMinor')]: minor };
}

export const CONTROL_PLANE: ProgramSet<Program> = {
  key: 'control-plane',
  what: 'control plane binaries',
  programs: PROGRAMS,
  module: BINARIES_MODULE,
  goPackage: '.',
  release: 'k8s.io/kubernetes',
  stamps: kubernetesStamps,
  firstBuild: 'about 6 minutes',
  remedy: 'make lab-binaries',
};

export const NODE: ProgramSet<NodeProgram> = {
  key: 'node',
  what: 'node binaries',
  programs: NODE_PROGRAMS,
  module: BINARIES_MODULE,
  goPackage: './node',
  release: 'k8s.io/kubernetes',
  stamps: kubernetesStamps,
  firstBuild: 'about 2 minutes',
  remedy: 'npm run lab -- binaries --nodes kubelet',
};

export const HELM: ProgramSet<HelmProgram> = {
  key: 'helm-client',
  what: 'Helm client',
  programs: ['helm'],
  isEverybodys: true,
  module: HELM_MODULE,
  goPackage: 'helm.sh/helm/v3/cmd/helm',
  release: 'helm.sh/helm/v3',
  stamps: (version) => ({ 'helm.sh/helm/v3/internal/version.version': version }),
  firstBuild: 'about 3 minutes',
  remedy: 'npm run lab -- binaries --helm',
};

/** All programs of one set, from one source: versions are never mixed. */
export interface ProgramFiles<Name extends string> {
  readonly files: Readonly<Record<Name, string>>;
  /** Where they come from, as a person would say it. */
  readonly source: string;
}

export type Binaries = ProgramFiles<Program>;
export type NodeBinaries = ProgramFiles<NodeProgram>;
export type HelmBinaries = ProgramFiles<HelmProgram>;

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
