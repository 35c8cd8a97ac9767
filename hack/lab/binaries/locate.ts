import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, envtestFolder } from '../paths.ts';
import { type Binaries, programsIn } from './programs.ts';
import { platform, versions } from './versions.ts';

/** One place to look: complete, or why not. */
interface Candidate {
  readonly folder: string;
  readonly source: string;
}

/** The finished programs on this machine, in the order of preference, or why there are none. Reads the disk only. */
export function findBinaries(environment: NodeJS.ProcessEnv = process.env): Binaries | { readonly reason: string } {
  const reasons: string[] = [];
  for (const { folder, source } of candidates(environment)) {
    const found = programsIn(folder, source);
    if ('files' in found) return found;
    if (found.missing.length < 5) reasons.push(`${source} (${folder}) has no ${found.missing.join(', ')}`);
  }
  const why = reasons.length > 0 ? ` (${reasons.join('; ')})` : '';
  return { reason: `no control plane binaries on this machine${why}: run \`make lab-binaries\`` };
}

/** Where our own cache keeps the programs of this checkout's versions. */
export function ownFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { os, arch } = platform();
  return join(cacheFolder(environment), `${versions().fingerprint}-${os}-${arch}`);
}

function candidates(environment: NodeJS.ProcessEnv): Candidate[] {
  const assets = environment['KUBEBUILDER_ASSETS'];
  return [
    ...(assets ? [{ folder: assets, source: '$KUBEBUILDER_ASSETS' }] : []),
    ...envtestStores(envtestFolder(environment)),
    { folder: ownFolder(environment), source: "the lab's cache" },
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
