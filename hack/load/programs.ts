import { join } from 'node:path';
import { build } from 'esbuild';
import { REPOSITORY } from '../lab/paths.ts';
import type { Patch } from '../tunnelspec/live/patch.ts';
import { patching } from '../tunnelspec/live/patching.ts';

/** The program itself. */
export const CLUSTERTUNNEL = 'cli/main.ts';
/** A gateway whose hub says yes. */
export const GATEWAY = 'hack/load/workers/gateway.ts';

/**
 * Bundles this checkout's sources into `folder`, which must lie below the checkout: packages are found from there.
 * Not run through a loader: what that adds to functions would be measured as well.
 * @returns where each of them is now. @throws Error for a patch that does not fit
 */
export async function buildPrograms<Name extends string>(
  folder: string,
  entries: Readonly<Record<Name, string>>,
  patches: readonly Patch[] = [],
): Promise<Readonly<Record<Name, string>>> {
  const names = Object.keys(entries) as Name[];
  const { plugin, assertUsed } = patching(patches);
  await build({
    entryPoints: Object.fromEntries(names.map((name) => [name, join(REPOSITORY, entries[name])])),
    outdir: folder,
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
    plugins: [plugin],
  });
  assertUsed();
  return Object.fromEntries(names.map((name) => [name, join(folder, `${name}.js`)])) as Record<Name, string>;
}
