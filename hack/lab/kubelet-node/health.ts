import { get } from 'node:http';
import { KUBE_PROXY_HEALTH_PORT } from './kube-proxy.ts';
import { KUBELET_HEALTH_PORT } from './kubelet.ts';

const TIMEOUT_MS = 2_000;

export function isKubeletHealthy(host: string): Promise<boolean> {
  return answers(`http://${host}:${KUBELET_HEALTH_PORT}/healthz`);
}

export function isKubeProxyHealthy(host: string): Promise<boolean> {
  return answers(`http://${host}:${KUBE_PROXY_HEALTH_PORT}/healthz`);
}

/** Of a program that the lab's records name; undefined if it is none of a real node. The machine and its containerd are healthy as long as they run. */
export function nodeHealth(name: string, address: string): Promise<boolean> | undefined {
  const [host = ''] = address.split(':');
  if (name === 'kubelet') return isKubeletHealthy(host);
  if (name === 'kube-proxy') return isKubeProxyHealthy(host);
  return name === 'machine' || name === 'containerd' ? Promise.resolve(true) : undefined;
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}
