import { delimiter } from 'node:path';

/** $PATH with the folders of the system's own programs, which not every root has on it. */
export function systemPath(environment: NodeJS.ProcessEnv = process.env): string {
  const folders = (environment['PATH'] || '/usr/bin:/bin').split(delimiter);
  return [...new Set([...folders, '/usr/local/sbin', '/usr/sbin', '/sbin'])].join(delimiter);
}
