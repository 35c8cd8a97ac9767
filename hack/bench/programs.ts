import { join } from 'node:path';
import { build } from 'esbuild';
import { REPOSITORY } from '../lab/paths.ts';

/** Every process of a bench, as plain JavaScript. */
export interface Programs {
  readonly clustertunnel: string;
  readonly gateway: string;
  readonly upstream: string;
  readonly clients: string;
}

const WORKERS = 'hack/bench/workers';
const ENTRIES: Programs = {
  clustertunnel: 'cli/main.ts',
  gateway: `${WORKERS}/gateway.ts`,
  upstream: `${WORKERS}/upstream.ts`,
  clients: `${WORKERS}/clients.ts`,
};

/**
 * Bundles this checkout's sources into `folder`, which must lie below the checkout: packages are found from there.
 * Not run through a loader: what that adds to functions would be measured as well.
 */
export async function buildPrograms(folder: string): Promise<Programs> {
  await build({
    entryPoints: Object.fromEntries(Object.entries(ENTRIES).map(([name, path]) => [name, join(REPOSITORY, path)])),
    outdir: folder,
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
  });
  return {
    clustertunnel: join(folder, 'clustertunnel.js'),
    gateway: join(folder, 'gateway.js'),
    upstream: join(folder, 'upstream.js'),
    clients: join(folder, 'clients.js'),
  };
}
