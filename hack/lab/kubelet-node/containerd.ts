import { statfsSync } from 'node:fs';

export interface ContainerdOptions {
  readonly cniFolder: string;
  /** Full name of the image that every pod's first, idle container runs. */
  readonly pauseImage: string;
  readonly snapshotter: 'overlayfs' | 'native';
}

export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
export const CNI_CONFIG_FOLDER = '/run/node/cni';
const OVERLAYFS_MAGIC = 0x794c7630;

/** containerd's configuration: every path is its default, below the machine's own /run and /var/lib. */
export function containerdConfig({ cniFolder, pauseImage, snapshotter }: ContainerdOptions): string {
  const text = JSON.stringify; // a JSON string is a TOML string
  return `version = 2
# It would make a folder in /opt, which is not the machine's own.
disabled_plugins = ["io.containerd.internal.v1.opt"]

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(pauseImage)}
  # Some machines may not lower the out-of-memory score of a process, and runc would die of it.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = ${text(snapshotter)}

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = ${text(cniFolder)}
  conf_dir = ${text(CNI_CONFIG_FOLDER)}
`;
}

/** Overlays cannot lie on overlays: in a container of somebody else's, layers are copied instead. */
export function snapshotterFor(folder: string): ContainerdOptions['snapshotter'] {
  return statfsSync(folder).type === OVERLAYFS_MAGIC ? 'native' : 'overlayfs';
}

/** The pods' network: each has a cable of its own to the node, so that all traffic is routed and kube-proxy sees it. */
export function cniConfig(podRange: string): object {
  return {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      { type: 'ptp', ipam: { type: 'host-local', ranges: [[{ subnet: podRange }]], routes: [{ dst: '0.0.0.0/0' }] } },
    ],
  };
}
