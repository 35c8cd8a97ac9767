import { join } from 'node:path';

/**
 * Where an absolute path of the pod stands on this machine.
 * In a container that is the path itself. The lab's process node has no mount namespaces: it puts a pod's volumes
 * below a folder and names that folder in CLUSTERTUNNEL_ROOT.
 */
export function mounted(path: string, env: NodeJS.ProcessEnv): string {
  const root = env['CLUSTERTUNNEL_ROOT'];
  return root === undefined || root === '' ? path : join(root, path);
}
