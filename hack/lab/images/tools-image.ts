import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { librariesOf } from './libraries.ts';
import type { Image } from './oci-archive.ts';
import { foldersAbove, tar } from './tar.ts';

/** A shell, tar, cat, nc, httpd …: what tests run in a pod. */
export const TOOLS_IMAGE = 'lab-tools:1';

/** Longer than a lab lives. */
const FOR_EVER_SECONDS = '2147483647';

/** Busybox under all of its names. Left alone it sleeps, so it serves as the pods' pause image as well. */
export function toolsImage(busybox: string): Image {
  const names = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const links = names
    .filter((name) => name !== 'busybox')
    .map((name) => ({ path: `bin/${name}`, mode: 0o777, linkTo: 'busybox' }));
  const files = [
    { path: 'bin/busybox', from: busybox },
    ...librariesOf(busybox).map((from) => ({ path: from.slice(1), from })),
  ].map(({ path, from }) => ({ path, mode: 0o755, content: readFileSync(from) }));
  const folders = foldersAbove(files.map(({ path }) => path));
  const layer = tar([...folders, { path: 'tmp', mode: 0o1777 }, ...files, ...links]);
  return { name: TOOLS_IMAGE, layers: [layer], entrypoint: ['/bin/sleep', FOR_EVER_SECONDS] };
}
