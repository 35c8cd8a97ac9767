import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { describeError } from '../../process/redact.ts';
import { MAX_KUBECONFIG_BYTES, parseKubeconfig } from './document.ts';
import type { SourceFile } from './find-hub.ts';

/** The kubeconfig files that kubectl would read, in its order; absolute. They need not exist. */
export function kubeconfigPaths(explicit: string | undefined, env: NodeJS.ProcessEnv): string[] {
  if (explicit !== undefined) return [resolve(explicit)];
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  const paths = listed.length > 0 ? listed : [join(homedir(), '.kube', 'config')];
  return [...new Set(paths.map((path) => resolve(path)))];
}

/** The one of them that kubectl would write new entries to. */
export function writablePath(paths: readonly string[]): string {
  // Never empty: see kubeconfigPaths.
  return paths.find((path) => existsSync(path)) ?? paths.at(-1) ?? '';
}

/** What is there of them. @throws Error that names the file that cannot be used */
export function readKubeconfigs(paths: readonly string[]): SourceFile[] {
  return paths.flatMap((path) => {
    const text = readText(path);
    if (text === undefined) return [];
    try {
      return [{ path, kubeconfig: parseKubeconfig(text) }];
    } catch (error) {
      throw new Error(`${path} is no kubeconfig: ${describeError(error)}`, { cause: error });
    }
  });
}

/**
 * The text of a file; undefined when there is none.
 * @throws Error when it cannot be read, is no file, too large, or not UTF-8
 */
export function readText(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isFile()) throw new Error(`${path} is not a file`);
  if (stat.size > MAX_KUBECONFIG_BYTES) throw new Error(`${path} has ${stat.size} bytes: too many for a kubeconfig`);
  const bytes = readFileSync(path);
  try {
    // The byte order mark stays: what is not ours is not changed.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Error(`${path} is not UTF-8`, { cause });
  }
}
