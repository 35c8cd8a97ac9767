import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Plugin } from 'esbuild';
import { REPOSITORY } from '../../lab/paths.ts';
import { type Patch, patched } from './patch.ts';

/** Patches sources on their way into a bundle. `assertUsed` throws afterwards if one is of a file that was not bundled. */
export function patching(patches: readonly Patch[]): { readonly plugin: Plugin; readonly assertUsed: () => void } {
  const seen = new Set<string>();
  return {
    plugin: {
      name: 'patches',
      setup: ({ onLoad }) => {
        onLoad({ filter: /\.ts$/ }, async ({ path }) => {
          const file = relative(REPOSITORY, path);
          seen.add(file);
          return { contents: patched(await readFile(path, 'utf8'), file, patches), loader: 'ts' };
        });
      },
    },
    assertUsed: () => {
      const missed = patches.find(({ file }) => !seen.has(file));
      if (missed !== undefined) throw new Error(`${missed.file} is no part of what was bundled`);
    },
  };
}
