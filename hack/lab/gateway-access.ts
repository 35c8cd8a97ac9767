import { join } from 'node:path';
import { ApiClient } from './api/client.ts';
import { writeKubeconfig } from './cluster/kubeconfig.ts';
import type { KubectlResult } from './kubectl.ts';

export interface GatewayAccessOptions {
  /** Kubeconfigs are written here. */
  readonly folder: string;
  readonly gatewayUrl: string;
  /** kubectl at the hub, as its administrator. */
  readonly hub: (args: readonly string[]) => Promise<KubectlResult>;
}

/** Who goes through the gateway. */
export interface Traveller {
  readonly name: string;
  readonly token: string;
}

const CA_ARGS = [
  '-n',
  'clustertunnel-system',
  'get',
  'configmap',
  'clustertunnel-gateway',
  '-o',
  'jsonpath={.data.ca\\.crt}',
];

/** The users' way through an installed operator's gateway, as the README tells it. */
export class GatewayAccess {
  /** PEM of the gateway's CA. */
  readonly caPem: string;
  readonly #options: GatewayAccessOptions;

  private constructor(options: GatewayAccessOptions, caPem: string) {
    this.#options = options;
    this.caPem = caPem;
  }

  /** Reads the CA from the ConfigMap that the operator publishes. */
  static async open(options: GatewayAccessOptions): Promise<GatewayAccess> {
    return new GatewayAccess(options, (await options.hub(CA_ARGS)).stdout);
  }

  /** Writes a kubeconfig whose server is a tunnel; the path of the file. */
  kubeconfigFor({ name, token }: Traveller, tunnel: string): string {
    const { folder, gatewayUrl } = this.#options;
    const path = join(folder, `${name}@${tunnel}.kubeconfig`);
    const url = `${gatewayUrl}/clusters/${tunnel}`;
    writeKubeconfig(path, { cluster: tunnel, url, caPem: this.caPem, user: name, credential: { token } });
    return path;
  }

  /** A client of the gateway, for what kubectl does not show: raw bytes. Paths start with /clusters/. */
  client({ token }: Traveller): ApiClient {
    return new ApiClient({ url: this.#options.gatewayUrl, caPem: this.caPem, token });
  }
}
