import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinaries } from '../../../hack/lab/binaries.ts';
import { type Cluster, startCluster } from '../../../hack/lab/cluster/cluster.ts';
import { kubeconfig } from '../../../hack/lab/cluster/kubeconfig.ts';
import { type KubectlResult, kubectl } from '../../../hack/lab/kubectl.ts';
import { eventually } from '../../../hack/lab/pause.ts';
import { createClient, type KubeClient } from '../../../operator/kube/client.ts';
import { loadKubeConfig } from '../../../operator/kube/kube-config.ts';
import { createTransport, type Transport } from '../../../operator/kube/transport.ts';
import { systemClock } from '../../../process/clock.ts';

/** A real control plane without nodes, and ways to speak to it. */
export interface Hub {
  readonly cluster: Cluster;
  /** As system:masters. */
  readonly transport: Transport;
  readonly client: KubeClient;
  /** As whoever the bearer token says. */
  clientAs(token: string): Promise<KubeClient>;
  kubectl(...args: string[]): Promise<KubectlResult>;
  stop(): Promise<void>;
}

const binaries = findBinaries();

/** `describe`, or a skip that says why there is no control plane here. */
export function describeOnHub(title: string, body: (this: Mocha.Suite) => void): void {
  if ('files' in binaries) describe(title, body);
  else describe.skip(`${title} (skipped: ${binaries.reason})`, body);
}

/** Starts a hub in a folder of its own. */
export async function startHub(name: string): Promise<Hub> {
  if (!('files' in binaries)) throw new Error(binaries.reason);
  const { files } = binaries;
  const folder = await mkdtemp(join(tmpdir(), `ct-${name}-`));
  const cluster = await startCluster({ name, dir: join(folder, name), binaries });
  const connect = (path: string) =>
    createTransport({ config: loadKubeConfig({ kubeconfig: path, env: {} }), clock: systemClock });
  const transport = connect(cluster.kubeconfigPath);
  const opened: KubeClient[] = [createClient(transport)];
  return {
    cluster,
    transport,
    client: createClient(transport),
    async clientAs(token) {
      const path = join(folder, `${opened.length}.kubeconfig`);
      const { url, caPem } = cluster;
      await writeFile(
        path,
        JSON.stringify(kubeconfig({ cluster: name, url, caPem, user: 'user', credential: { token } })),
      );
      const client = createClient(connect(path));
      opened.push(client);
      return client;
    },
    kubectl: (...args) =>
      kubectl({ file: files.kubectl, cacheFolder: join(folder, 'cache') }, cluster.kubeconfigPath, args),
    async stop() {
      await Promise.all(opened.map((client) => client.close()));
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until `isSo`. @throws Error naming `what` after 20 s. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  if (!(await eventually(isSo, { timeoutMs: 20_000 }))) throw new Error(`waited 20 s for ${what}`);
}
