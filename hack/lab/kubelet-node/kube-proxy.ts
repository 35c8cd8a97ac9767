import { NODE_FOLDER } from './machine.ts';

export const KUBE_PROXY_HEALTH_PORT = 10_256;

/** kube-proxy's flags: Services by nftables, in the machine's own network. */
export function kubeProxyFlags({ nodeName, address }: { nodeName: string; address: string }): string[] {
  return [
    `--kubeconfig=${NODE_FOLDER}/kube-proxy.kubeconfig`,
    `--hostname-override=${nodeName}`,
    '--proxy-mode=nftables',
    `--healthz-bind-address=${address}:${KUBE_PROXY_HEALTH_PORT}`,
    '--metrics-bind-address=127.0.0.1:10249',
    '--conntrack-max-per-core=0', // not its to set: it is the whole machine's
    '--oom-score-adj=0',
  ];
}
