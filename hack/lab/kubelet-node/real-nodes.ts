import { join } from 'node:path';
import { ensureNodeBinaries } from '../binaries.ts';
import { makeImages } from '../images/images.ts';
import type { Progress } from '../progress.ts';
import { freeSecondByte, labIdOf, nodeAddresses } from './addresses.ts';
import type { KubeletNodeOptions } from './kubelet-node.ts';
import { findNodeTools } from './prerequisites.ts';

/** Everything that `count` real nodes of the lab in `folder` need before they can start. @throws Error with one sentence that names the remedy */
export async function prepareRealNodes(
  folder: string,
  count: number,
  progress: Progress,
): Promise<KubeletNodeOptions[]> {
  const tools = findNodeTools();
  if ('reason' in tools) throw new Error(tools.reason);
  if (count === 0) throw new Error('real nodes are for targets: ask for at least one');
  const binaries = await ensureNodeBinaries({ progress });
  const images = await makeImages(join(folder, 'images'), tools.busybox, progress);
  const labId = labIdOf(folder);
  const second = freeSecondByte(labId);
  return Array.from({ length: count }, (_, index) => ({
    binaries,
    tools,
    images,
    addresses: nodeAddresses(labId, second, index),
    cgroup: `clustertunnel-${labId}-${index}`,
  }));
}
