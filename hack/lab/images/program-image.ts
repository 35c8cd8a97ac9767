import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { VERSION } from '../../../process/version.ts';
import { REPOSITORY } from '../paths.ts';
import { librariesOf } from './libraries.ts';
import type { Image } from './oci-archive.ts';
import { foldersAbove, tar } from './tar.ts';

/** What pods of config/default ask for. */
export const PROGRAM_IMAGE = `clustertunnel:${VERSION}`;

const NODE_PATH = 'usr/local/bin/node';
const PROGRAM_PATH = 'app/clustertunnel.mjs';
/** Packages in the old module format, bundled into the new one, still ask for a `require`. */
const REQUIRE =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

/** Our own image, from nothing: this machine's Node.js with the libraries it loads, and above it our program as one file. */
export async function programImage(): Promise<Image> {
  const program = await bundled();
  return {
    name: PROGRAM_IMAGE,
    layers: [
      nodeLayer(),
      tar([...foldersAbove([PROGRAM_PATH]), { path: PROGRAM_PATH, mode: 0o644, content: program }]),
    ],
    entrypoint: [`/${NODE_PATH}`, `/${PROGRAM_PATH}`],
    user: '65532:65532',
  };
}

/** The program as one file without packages. */
async function bundled(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    absWorkingDir: REPOSITORY,
    entryPoints: ['cli/main.ts'],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: { js: REQUIRE },
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('esbuild wrote nothing');
  return file.contents;
}

function nodeLayer(): Buffer {
  const files = [
    { path: NODE_PATH, from: process.execPath },
    ...librariesOf(process.execPath).map((from) => ({ path: from.slice(1), from })),
  ];
  return tar([
    ...foldersAbove(files.map(({ path }) => path)),
    ...files.map(({ path, from }) => ({ path, mode: 0o755, content: readFileSync(from) })),
  ]);
}
