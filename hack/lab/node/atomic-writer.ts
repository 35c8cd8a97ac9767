import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { VolumeFiles } from './volume-files.ts';

/** What the visible names point through; one rename of it changes all files of a volume at once. */
const CURRENT = '..data';

/**
 * Makes `folder` show exactly `files`, all at once, as the kubelet does it:
 *
 *   folder/..2026_x/ca.crt      the files of one version
 *   folder/..data -> ..2026_x   replaced by rename
 *   folder/ca.crt -> ..data/ca.crt
 *
 * Returns false if it shows them already.
 */
export function writeVolume(folder: string, files: VolumeFiles): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const previous = currentVersion(folder);
  if (previous !== undefined && isSame(join(folder, previous), files)) return false;
  const fresh = mkdtempSync(join(folder, `..${new Date().toISOString().slice(0, 19).replace(/[-:T]/g, '_')}.`));
  for (const [path, { bytes, mode }] of files) {
    const file = join(fresh, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes, { mode });
  }
  const link = join(folder, '..data_tmp');
  rmSync(link, { force: true });
  symlinkSync(fresh.slice(folder.length + 1), link);
  renameSync(link, join(folder, CURRENT));
  showNames(folder, files);
  if (previous !== undefined) rmSync(join(folder, previous), { recursive: true, force: true });
  return true;
}

function currentVersion(folder: string): string | undefined {
  try {
    return readlinkSync(join(folder, CURRENT));
  } catch {
    return undefined; // the first write
  }
}

/** One link per first path segment; links of files that are gone are removed. */
function showNames(folder: string, files: VolumeFiles): void {
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of readdirSync(folder)) {
    if (name.startsWith('..')) continue;
    if (!wanted.delete(name)) rmSync(join(folder, name), { force: true });
  }
  for (const name of wanted) symlinkSync(join(CURRENT, name), join(folder, name));
}

function isSame(version: string, files: VolumeFiles): boolean {
  const paths = filesBelow(version, '');
  if (paths.length !== files.size) return false;
  return paths.every((path) => files.get(path)?.bytes.equals(readFileSync(join(version, path))));
}

function filesBelow(folder: string, prefix: string): string[] {
  return readdirSync(join(folder, prefix)).flatMap((name) => {
    const path = join(prefix, name);
    return lstatSync(join(folder, path)).isDirectory() ? filesBelow(folder, path) : [path];
  });
}
