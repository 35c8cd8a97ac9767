import { readdirSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { cacheFolder, envtestFolder } from '../paths.ts';
import {
  type Binaries,
  CONTROL_PLANE,
  HELM,
  type HelmBinaries,
  NODE,
  type NodeBinaries,
  type ProgramFiles,
  type ProgramSet,
  programsIn,
} from './programs.ts';
import { fingerprint, platform } from './versions.ts';

/** One place to look: complete, or why not. */
interface Candidate {
  readonly folder: string;
  readonly source: string;
}

/** The finished programs of a control plane on this machine, or why there are none. Reads the disk only. */
export function findBinaries(environment: NodeJS.ProcessEnv = process.env): Binaries | { readonly reason: string } {
  return find(CONTROL_PLANE, environment);
}

/** The same for the programs of a real node. */
export function findNodeBinaries(
  environment: NodeJS.ProcessEnv = process.env,
): NodeBinaries | { readonly reason: string } {
  return find(NODE, environment);
}

/** The same for Helm. */
export function findHelm(environment: NodeJS.ProcessEnv = process.env): HelmBinaries | { readonly reason: string } {
  return find(HELM, environment);
}

/** The programs of a set, in the order of preference. */
export function find<Name extends string>(
  set: ProgramSet<Name>,
  environment: NodeJS.ProcessEnv = process.env,
): ProgramFiles<Name> | { readonly reason: string } {
  const reasons: string[] = [];
  for (const { folder, source } of candidates(set, environment)) {
    const found = programsIn(set, folder, source);
    if ('files' in found) return found;
    if (found.missing.length < set.programs.length)
      reasons.push(`${source} (${folder}) has no ${found.missing.join(', ')}`);
  }
  const why = reasons.length > 0 ? ` (${reasons.join('; ')})` : '';
  return { reason: `no ${set.what} on this machine${why}: run \`${set.remedy}\`` };
}

/** Where our own cache keeps the programs of this checkout's versions. */
export function ownFolder(
  set: ProgramSet<string> = CONTROL_PLANE,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  const { os, arch } = platform();
  const suffix = set.key === CONTROL_PLANE.key ? '' : `-${set.key}`;
  return join(cacheFolder(environment), `${fingerprint(set)}-${os}-${arch}${suffix}`);
}

function candidates(set: ProgramSet<string>, environment: NodeJS.ProcessEnv): Candidate[] {
  const assets = environment['KUBEBUILDER_ASSETS'];
  const path = set.isEverybodys === true ? (environment['PATH'] ?? '').split(delimiter) : [];
  return [
    ...path.filter(isAbsolute).map((folder) => ({ folder, source: '$PATH' })),
    ...(assets ? [{ folder: assets, source: '$KUBEBUILDER_ASSETS' }] : []),
    ...envtestStores(envtestFolder(environment)),
    { folder: ownFolder(set, environment), source: "the lab's cache" },
  ];
}

/** setup-envtest's folders for this machine, the newest version first. Its own downloads lack two programs; a user may have added them. */
function envtestStores(folder: string): Candidate[] {
  const { os, arch } = platform();
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // setup-envtest was never used here
  }
  return names
    .filter((name) => name.endsWith(`-${os}-${arch}`))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((name) => ({ folder: join(folder, name), source: "setup-envtest's store" }));
}
