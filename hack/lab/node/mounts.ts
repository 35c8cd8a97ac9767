import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Container } from '../api/pod.ts';

/**
 * A container's root folder: there is no mount namespace, so a volume appears at `<root><mountPath>`, as a link to the
 * pod's copy of it. Shorter mount paths first: a mount inside a mount lands inside the volume, as it would in a container.
 */
export function mountVolumes(root: string, container: Container, folderOf: (volume: string) => string): void {
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const mounts = [...(container.volumeMounts ?? [])].sort((a, b) => a.mountPath.length - b.mountPath.length);
  for (const { name, mountPath, subPath } of mounts) {
    const at = join(root, mountPath);
    if (existsSync(at)) continue; // an earlier run of the container
    mkdirSync(dirname(at), { recursive: true });
    symlinkSync(join(folderOf(name), subPath ?? ''), at);
  }
}
