import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ApiClient } from '../api/client.ts';
import type { Node } from '../api/objects.ts';
import type { NodeBinaries } from '../binaries/programs.ts';
import type { KeyPair } from '../cluster/certificates.ts';
import { Component, type ComponentSpec } from '../cluster/component.ts';
import { writeKubeconfig } from '../cluster/kubeconfig.ts';
import type { ImageFile } from '../images/images.ts';
import { fullName } from '../images/oci-archive.ts';
import { TOOLS_IMAGE } from '../images/tools-image.ts';
import { eventually } from '../pause.ts';
import type { Ledger } from '../processes/ledger.ts';
import { type Progress, reportIfSlow } from '../progress.ts';
import type { NodeAddresses } from './addresses.ts';
import { cniConfig, containerdConfig, snapshotterFor } from './containerd.ts';
import { isKubeletHealthy, isKubeProxyHealthy } from './health.ts';
import { importImage } from './import-image.ts';
import { KUBE_PROXY_HEALTH_PORT, kubeProxyFlags } from './kube-proxy.ts';
import { KUBELET_PORT, kubeletConfig, kubeletFlags } from './kubelet.ts';
import { Machine } from './machine.ts';
import type { NodeTools } from './prerequisites.ts';
import { run } from './run.ts';

/** What a lab decides about a real node. */
export interface KubeletNodeOptions {
  readonly binaries: NodeBinaries;
  readonly tools: NodeTools;
  readonly images: readonly ImageFile[];
  readonly addresses: NodeAddresses;
  /** Of this node alone. */
  readonly cgroup: string;
}

/** What the cluster adds. */
export interface KubeletNodeInput extends KubeletNodeOptions {
  readonly name: string;
  readonly dir: string;
  readonly logsDir: string;
  readonly ledger: Ledger;
  readonly progress: Progress;
}

/** How the node's programs and the API server know each other. */
export interface NodeTrust {
  readonly apiUrl: string;
  readonly caPem: string;
  readonly identity: KeyPair;
  readonly serving: KeyPair;
  readonly kubeProxy: KeyPair;
}

const START_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 60_000;

/** A real node: containerd, kubelet and kube-proxy on a machine of their own. */
export class KubeletNode {
  readonly name: string;
  readonly #input: KubeletNodeInput;
  readonly #machine: Machine;
  readonly #containerd: Component;
  readonly #kubelet: Component;
  readonly #kubeProxy: Component;

  private constructor(input: KubeletNodeInput, machine: Machine) {
    this.name = input.name;
    this.#input = input;
    this.#machine = machine;
    const { addresses, cgroup, name: nodeName } = input;
    const address = addresses.node;
    this.#containerd = this.#component('containerd', input.tools.containerd, ['--config=/run/node/containerd.toml'], {
      address: '',
      stopOrder: 1,
      isHealthy: () => this.#isContainerdUp(),
    });
    this.#kubelet = this.#component('kubelet', '/run/bin/kubelet', kubeletFlags({ nodeName, address, cgroup }), {
      address: `${address}:${KUBELET_PORT}`,
      stopOrder: 0,
      isHealthy: () => isKubeletHealthy(address),
    });
    this.#kubeProxy = this.#component('kube-proxy', '/run/bin/kube-proxy', kubeProxyFlags({ nodeName, address }), {
      address: `${address}:${KUBE_PROXY_HEALTH_PORT}`,
      stopOrder: 0,
      isHealthy: () => isKubeProxyHealthy(address),
    });
  }

  /** Makes the machine: from now on its addresses exist. */
  static async powerOn(input: KubeletNodeInput): Promise<KubeletNode> {
    const { dir, logsDir, binaries, addresses, cgroup, ledger } = input;
    const binariesFolder = dirname(binaries.files.kubelet);
    const logPath = join(logsDir, 'machine.log');
    return new KubeletNode(
      input,
      await Machine.powerOn({ folder: dir, binariesFolder, logPath, addresses, cgroup, ledger }),
    );
  }

  get podRange(): string {
    return this.#input.addresses.podRange;
  }

  /** Starts the container runtime and gives it the images: needs no API server. */
  async prepare(): Promise<void> {
    const { dir, tools, addresses, images, progress } = this.#input;
    mkdirSync(join(dir, 'cni'));
    writeFileSync(join(dir, 'cni', 'pods.conflist'), JSON.stringify(cniConfig(addresses.podRange)));
    const pauseImage = fullName(TOOLS_IMAGE);
    const config = containerdConfig({ cniFolder: tools.cniFolder, pauseImage, snapshotter: snapshotterFor(dir) });
    writeFileSync(join(dir, 'containerd.toml'), config);
    await this.#containerd.start();
    for (const image of images)
      await reportIfSlow(progress, `${this.name}: importing ${image.name}`, importImage(this.#machine, image));
  }

  /** Starts kubelet and kube-proxy; returns when pods can be scheduled here. */
  async join(client: ApiClient, trust: NodeTrust): Promise<void> {
    this.#writeTrust(trust);
    await Promise.all([this.#kubelet.start(), this.#kubeProxy.start()]);
    const ready = eventually(() => this.#isSchedulable(client), { timeoutMs: READY_TIMEOUT_MS, everyMs: 200 });
    if (await reportIfSlow(this.#input.progress, `${this.name}: waiting for the node to be Ready`, ready)) return;
    throw new Error(`Node ${this.name} was not Ready 60 s after its kubelet had started: see ${this.#kubelet.logPath}`);
  }

  /** Ends its programs, so that the API server hears no more of it; pods go on until the power is off. */
  async stop(): Promise<void> {
    await Promise.all([this.#kubelet.kill(), this.#kubeProxy.kill(), this.#containerd.kill()]);
  }

  /** Ends everything that runs here, and the addresses with it. */
  powerOff(): Promise<void> {
    return this.#machine.powerOff();
  }

  #component(
    name: string,
    file: string,
    args: readonly string[],
    rest: Pick<ComponentSpec, 'address' | 'stopOrder' | 'isHealthy'>,
  ): Component {
    const logPath = join(this.#input.logsDir, `${name}.log`);
    const spec = { name, ...this.#machine.command(file, args), logPath, startTimeoutMs: START_TIMEOUT_MS };
    return new Component({ ...spec, stopGraceMs: 0, ...rest }, this.#input.ledger);
  }

  #writeTrust({ apiUrl, caPem, identity, serving, kubeProxy }: NodeTrust): void {
    const { dir, name, cgroup, addresses } = this.#input;
    const write = (file: string, content: string): void => writeFileSync(join(dir, file), content, { mode: 0o600 });
    write('ca.crt', caPem);
    write('kubelet.crt', serving.certificatePem);
    write('kubelet.key', serving.keyPem);
    write(
      'kubelet.json',
      JSON.stringify(kubeletConfig({ nodeName: name, address: addresses.node, cgroup }), undefined, 2),
    );
    const server = { cluster: 'lab', url: apiUrl, caPem };
    writeKubeconfig(join(dir, 'kubelet.kubeconfig'), { ...server, user: 'kubelet', credential: identity });
    writeKubeconfig(join(dir, 'kube-proxy.kubeconfig'), { ...server, user: 'kube-proxy', credential: kubeProxy });
  }

  async #isContainerdUp(): Promise<boolean> {
    const { file, args } = this.#machine.command('ctr', ['version']);
    return run(file, args, 5_000).then(
      () => true,
      () => false,
    );
  }

  async #isSchedulable(client: ApiClient): Promise<boolean> {
    try {
      const { spec, status } = await client.get<Node>(`/api/v1/nodes/${this.name}`);
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      return ready?.status === 'True' && (spec?.taints ?? []).length === 0;
    } catch {
      return false; // not registered yet
    }
  }
}
