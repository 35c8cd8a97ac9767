import { CONTAINERD_SOCKET } from './containerd.ts';
import { NODE_FOLDER } from './machine.ts';

export interface KubeletOptions {
  readonly nodeName: string;
  readonly address: string;
  readonly cgroup: string;
}

export const KUBELET_PORT = 10_250;
export const KUBELET_HEALTH_PORT = 10_248;

/** The kubelet's flags: what its configuration cannot say. */
export function kubeletFlags({ nodeName, address }: KubeletOptions): string[] {
  return [
    `--config=${NODE_FOLDER}/kubelet.json`,
    `--kubeconfig=${NODE_FOLDER}/kubelet.kubeconfig`,
    `--hostname-override=${nodeName}`,
    `--node-ip=${address}`,
  ];
}

/** The kubelet's configuration. It asks the API server who calls, and what he may do. */
export function kubeletConfig({ address, cgroup }: KubeletOptions): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address,
    port: KUBELET_PORT,
    healthzBindAddress: address,
    healthzPort: KUBELET_HEALTH_PORT,
    tlsCertFile: `${NODE_FOLDER}/kubelet.crt`,
    tlsPrivateKeyFile: `${NODE_FOLDER}/kubelet.key`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${NODE_FOLDER}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    oomScoreAdj: 0,
    resolvConf: '', // there is no DNS in a lab
    // The machine's disk is not the lab's to judge: nothing is evicted or collected because it is full.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
      'memory.available': '0%',
    },
    registerNode: true,
    volumePluginDir: '/var/lib/kubelet/volume-plugins', // its default is a folder of the machine outside
    nodeStatusUpdateFrequency: '2s',
    syncFrequency: '10s',
    configMapAndSecretChangeDetectionStrategy: 'Watch',
  };
}
