import { delimiter, join } from 'node:path';
import { isExecutable } from '../is-executable.ts';
import { systemPath } from '../processes/system-path.ts';

/** Programs of the machine that a real node runs on, each with the Debian package that has it. */
const NEEDED: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  nft: 'nftables',
  ip: 'iproute2',
  busybox: 'busybox-static',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
};
/** Where the package containernetworking-plugins puts them. */
const CNI_FOLDERS = ['/usr/lib/cni', '/opt/cni/bin'];
const CNI_PLUGINS = ['ptp', 'host-local', 'loopback'];

/** What can be asked of a machine. */
export interface MachineFacts {
  readonly os: NodeJS.Platform;
  readonly isRoot: boolean;
  /** The path of a program; undefined if there is none. */
  readonly find: (program: string) => string | undefined;
  /** The folder with the network plugins; undefined if there is none. */
  readonly cniFolder: string | undefined;
}

/** The machine's own programs that a node calls by path. */
export interface NodeTools {
  readonly containerd: string;
  readonly busybox: string;
  readonly cniFolder: string;
}

/** The tools of this machine, or one sentence that says why it can have no real nodes and what to do about it. */
export function findNodeTools(facts: MachineFacts = thisMachine()): NodeTools | { readonly reason: string } {
  if (facts.os !== 'linux')
    return { reason: 'real nodes need Linux: without them, `--nodes process` runs pods as processes' };
  if (!facts.isRoot) return { reason: 'real nodes need root: run as root, or with `--nodes process`' };
  const packages = new Set(
    Object.keys(NEEDED).flatMap((name) => (facts.find(name) === undefined ? NEEDED[name] : []) ?? []),
  );
  if (facts.cniFolder === undefined) packages.add('containernetworking-plugins');
  const containerd = facts.find('containerd');
  const busybox = facts.find('busybox');
  if (packages.size === 0 && containerd !== undefined && busybox !== undefined && facts.cniFolder !== undefined)
    return { containerd, busybox, cniFolder: facts.cniFolder };
  const list = [...packages].join(' ');
  return {
    reason: `real nodes need the packages ${list}: apt-get update && apt-get install -y --no-install-recommends ${list}`,
  };
}

function thisMachine(): MachineFacts {
  return {
    os: process.platform,
    isRoot: process.getuid?.() === 0,
    find: (program) =>
      systemPath()
        .split(delimiter)
        .map((folder) => join(folder, program))
        .find(isExecutable),
    cniFolder: CNI_FOLDERS.find((folder) => CNI_PLUGINS.every((plugin) => isExecutable(join(folder, plugin)))),
  };
}
