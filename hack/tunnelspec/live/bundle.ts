import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Patch } from './patch.ts';
import { patching } from './patching.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A program of ours as one file, from source with patches. Packages stay outside. @throws Error for a patch that does not fit. */
export async function bundle(entry: string, outFile: string, patches: readonly Patch[]): Promise<void> {
  const { plugin, assertUsed } = patching(patches);
  await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: outFile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    plugins: [plugin],
  });
  assertUsed();
}
