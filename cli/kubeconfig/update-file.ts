import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { describeError } from '../../process/redact.ts';
import { CommandError } from '../output.ts';
import { readText } from './files.ts';
import { shellWord } from './report.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
/** More than that many symbolic links in a row are a circle. Source: Linux, MAXSYMLINKS. */
const MAX_LINKS = 40;

/**
 * Changes a kubeconfig under kubectl's lock: readers see the old file or the new one, nothing between. A symbolic link
 * stays one: the file that it leads to is replaced. Nothing is written when `change` returns what it was given.
 * @throws CommandError when the lock is held or the file cannot be read or written; what `change` throws
 */
export function updateFile(path: string, change: (text: string) => string): void {
  onDisk(path, () => mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_FOLDER }));
  const unlock = lock(path);
  try {
    const before = onDisk(path, () => readText(path) ?? '');
    const after = change(before);
    if (after !== before) onDisk(path, () => replaceFile(linkTarget(path), after));
  } finally {
    unlock();
  }
}

/** Where symbolic links lead in the end, whether a file is there or not. */
export function linkTarget(path: string, linksLeft = MAX_LINKS): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() !== true || linksLeft === 0) return join(realpathSync(dirname(path)), basename(path));
  return linkTarget(resolve(dirname(path), readlinkSync(path)), linksLeft - 1);
}

/** The lock of client-go: a file beside the kubeconfig that exists while somebody writes. Source: clientcmd.ModifyConfig. */
function lock(path: string): () => void {
  const lockPath = `${path}.lock`;
  try {
    closeSync(openSync(lockPath, 'wx', PRIVATE_FILE));
  } catch (error) {
    throw lockError(path, lockPath, error);
  }
  return () => rmSync(lockPath, { force: true });
}

function lockError(path: string, lockPath: string, error: unknown): CommandError {
  const isHeld = (error as NodeJS.ErrnoException).code === 'EEXIST';
  if (!isHeld) return cannotUse(path, error);
  return new CommandError({
    what: `${path} is locked`,
    why: `${lockPath} exists: kubectl or another clustertunnel is writing it, or ended while it did`,
    remedy: `run the command again; if nobody writes it, remove the lock: rm ${shellWord(lockPath)}`,
  });
}

function replaceFile(target: string, text: string): void {
  const known = statSync(target, { throwIfNoEntry: false });
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
  const file = openSync(temporary, 'wx', PRIVATE_FILE);
  try {
    try {
      writeFileSync(file, text);
      if (known !== undefined) {
        if (known.uid !== process.geteuid?.()) fchownSync(file, known.uid, known.gid);
        fchmodSync(file, known.mode & 0o777);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function onDisk<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw cannotUse(path, error);
  }
}

function cannotUse(path: string, error: unknown): CommandError {
  return new CommandError({
    what: `${path} cannot be changed`,
    why: describeError(error),
    remedy: 'see to it that you may read and write it and its folder, or name another file with --output',
  });
}
