import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Patch, patched } from './patch.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A program of ours as one file, from source with patches. Packages stay outside. @throws Error for a patch that does not fit. */
export async function bundle(entry: string, outFile: string, patches: readonly Patch[]): Promise<void> {
  const seen = new Set<string>();
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
    plugins: [
      {
        name: 'patches',
        setup: ({ onLoad }) => {
          onLoad({ filter: /\.ts$/ }, async ({ path }) => {
            const file = relative(ROOT, path);
            seen.add(file);
            return { contents: patched(await readFile(path, 'utf8'), file, patches), loader: 'ts' };
          });
        },
      },
    ],
  });
  const missed = patches.find(({ file }) => !seen.has(file));
  if (missed !== undefined) throw new Error(`${missed.file} is no part of ${entry}`);
}
