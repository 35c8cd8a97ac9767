import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient } from '../api/client.ts';
import type { Binaries } from '../binaries/programs.ts';
import { KubeletNode, type KubeletNodeOptions } from '../kubelet-node/kubelet-node.ts';
import { ProcessNode, type ProcessNodeOptions } from '../node/process-node.ts';
import { Ledger, stopRecorded } from '../processes/ledger.ts';
import { type Progress, reportIfSlow, silent } from '../progress.ts';
import { prepareCluster } from './bootstrap.ts';
import { type Component, ComponentError } from './component.ts';
import { type ControlPlane, controlPlane } from './control-plane.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { createPki, type Pki } from './pki.ts';
import { freePorts } from './ports.ts';

/** One line of the API server's static token file. */
export interface StaticToken {
  readonly token: string;
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
}

export interface ClusterOptions {
  readonly name: string;
  /** Everything of this cluster: keys, data, logs. Processes left in it by an earlier run are stopped first. */
  readonly dir: string;
  readonly binaries: Binaries;
  readonly tokens?: readonly StaticToken[];
  /** Present: the cluster gets a node that runs pods as processes of this machine. */
  readonly processNode?: ProcessNodeOptions;
  /** Present: the cluster gets a real node instead, on a machine made of namespaces. */
  readonly kubeletNode?: KubeletNodeOptions;
  readonly progress?: Progress;
}

/** Below the folder of a cluster: who must be stopped. */
export const LEDGER_FOLDER = 'processes';
const SERVICE_RANGE = '10.96.0.0/16';
const SERVICE_IP = '10.96.0.1';
const START_ATTEMPTS = 3;
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

/** A running Kubernetes cluster: a control plane of four processes and, if asked for, one node. */
export class Cluster {
  readonly name: string;
  readonly dir: string;
  readonly url: string;
  /** system:masters by client certificate; mode 0600. */
  readonly kubeconfigPath: string;
  readonly caPath: string;
  readonly caPem: string;
  /** One JSON object a line, level Metadata. */
  readonly auditLogPath: string;
  /** As system:masters. */
  readonly client: ApiClient;
  readonly etcd: Component;
  readonly apiServer: Component;
  readonly controllerManager: Component;
  readonly scheduler: Component;
  readonly ledger: Ledger;
  #node: ProcessNode | KubeletNode | undefined;

  private constructor(options: ClusterOptions, plane: ControlPlane, pki: Pki, ledger: Ledger) {
    this.name = options.name;
    this.dir = options.dir;
    this.url = `https://${plane.apiServer.address}`;
    this.kubeconfigPath = join(options.dir, 'admin.kubeconfig');
    this.caPath = pki.caPath;
    this.caPem = pki.caPem;
    this.auditLogPath = join(options.dir, 'audit.log');
    this.client = new ApiClient({ url: this.url, caPem: pki.caPem, ...pki.admin });
    this.etcd = plane.etcd;
    this.apiServer = plane.apiServer;
    this.controllerManager = plane.controllerManager;
    this.scheduler = plane.scheduler;
    this.ledger = ledger;
  }

  /** The node, if the cluster has one. */
  get node(): ProcessNode | KubeletNode | undefined {
    return this.#node;
  }

  get components(): readonly Component[] {
    return [this.etcd, this.apiServer, this.controllerManager, this.scheduler];
  }

  /** Starts everything and returns when pods can run. @throws ComponentError */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const { dir, progress = silent } = options;
    await stopRecorded(join(dir, LEDGER_FOLDER));
    mkdirSync(join(dir, 'logs'), { recursive: true, mode: 0o700 });
    const pki = await createPki(join(dir, 'pki'), {
      nodeName: nodeNameOf(options),
      serviceIP: SERVICE_IP,
      ...hostsOf(options),
    });
    const starting = startWithRetry(options, pki);
    return reportIfSlow(progress, `${options.name}: starting the control plane`, starting);
  }

  /** Used by start() only: one attempt on one set of ports. */
  static async attempt(options: ClusterOptions, pki: Pki): Promise<Cluster> {
    const ledger = new Ledger(join(options.dir, LEDGER_FOLDER));
    const plane = await planned(options, pki, ledger);
    const cluster = new Cluster(options, plane, pki, ledger);
    try {
      await cluster.#bringUp(options, pki);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #bringUp(options: ClusterOptions, pki: Pki): Promise<void> {
    writeKubeconfigs(this, options.dir, pki);
    const { kubeletNode, processNode, progress = silent } = options;
    const shared = { name: nodeNameOf(options), dir: join(options.dir, 'node'), ledger: this.ledger, progress };
    if (kubeletNode !== undefined) {
      const node = await KubeletNode.powerOn({ ...kubeletNode, ...shared, logsDir: join(options.dir, 'logs') });
      this.#node = node;
      await Promise.all([this.#startControlPlane(true), node.prepare()]);
      await node.join(this.client, { ...pki, apiUrl: this.url, identity: pki.node, serving: pki.kubelet });
      return;
    }
    await this.#startControlPlane(false);
    if (processNode === undefined) return;
    const trust = { apiUrl: this.url, clientCaPem: pki.caPem, identity: pki.node, serving: pki.kubelet };
    this.#node = await ProcessNode.start({ ...processNode, ...shared, ...trust });
  }

  async #startControlPlane(hasRealNode: boolean): Promise<void> {
    await this.etcd.start();
    await this.apiServer.start();
    await Promise.all([
      this.controllerManager.start(),
      this.scheduler.start(),
      prepareCluster(this.client, hasRealNode),
    ]);
  }

  /** Pods first, then who depends on the API server, the API server, etcd; last what its address lies on. */
  async stop(): Promise<void> {
    await this.#node?.stop();
    this.client.close();
    await Promise.all([this.scheduler.stop(), this.controllerManager.stop()]);
    await this.apiServer.stop();
    await this.etcd.stop();
    if (this.#node instanceof KubeletNode) await this.#node.powerOff();
  }
}

/** Starts one cluster; the promise is kept when a Deployment can become Available in it. */
export function startCluster(options: ClusterOptions): Promise<Cluster> {
  return Cluster.start(options);
}

/** A port may be taken between our look and the program's bind: then everything once more on other ports. */
async function startWithRetry(options: ClusterOptions, pki: Pki): Promise<Cluster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await Cluster.attempt(options, pki);
    } catch (error) {
      const isWorthAnother = error instanceof ComponentError && error.lostPort && attempt < START_ATTEMPTS;
      if (!isWorthAnother) throw error;
      rmSync(join(options.dir, 'etcd'), { recursive: true, force: true });
    }
  }
}

async function planned(options: ClusterOptions, pki: Pki, ledger: Ledger): Promise<ControlPlane> {
  const { dir, binaries, tokens = [] } = options;
  const [etcd = 0, apiServer = 0, controllerManager = 0, scheduler = 0] = await freePorts(4);
  const tokensPath = join(dir, 'tokens.csv');
  writeFileSync(tokensPath, tokens.map(tokenLine).join(''), { mode: 0o600 });
  const auditPolicyPath = join(dir, 'audit-policy.json');
  writeFileSync(auditPolicyPath, JSON.stringify(AUDIT_POLICY));
  const read = (name: string): string => readFileSync(join(pki.folder, name), 'utf8');
  return controlPlane({
    binaries,
    folder: dir,
    pkiFolder: pki.folder,
    ports: { etcd, apiServer, controllerManager, scheduler },
    serviceRange: SERVICE_RANGE,
    apiHost: hostsOf(options).apiHost,
    hasRealNode: options.kubeletNode !== undefined,
    tokensPath,
    auditPolicyPath,
    auditLogPath: join(dir, 'audit.log'),
    caPem: pki.caPem,
    etcdCaPem: read('etcd-ca.crt'),
    etcdClient: { certificatePem: read('etcd-client.crt'), keyPem: read('etcd-client.key') },
    ledger,
  });
}

/** The CSV of --token-auth-file; the groups are one quoted field. */
function tokenLine({ token, user, uid, groups }: StaticToken): string {
  return `${token},${user},${uid},"${groups.join(',')}"\n`;
}

function writeKubeconfigs(cluster: Cluster, dir: string, pki: Pki): void {
  const shared = { cluster: cluster.name, url: cluster.url, caPem: pki.caPem };
  writeKubeconfig(cluster.kubeconfigPath, { ...shared, user: 'lab', credential: pki.admin });
  writeKubeconfig(join(dir, 'controller-manager.kubeconfig'), {
    ...shared,
    user: 'controller-manager',
    credential: pki.controllerManager,
  });
  writeKubeconfig(join(dir, 'scheduler.kubeconfig'), { ...shared, user: 'scheduler', credential: pki.scheduler });
}

/** A real node and its pods reach their API server over the node's cable. */
function hostsOf({ kubeletNode }: ClusterOptions): { readonly apiHost: string; readonly nodeHost: string } {
  const loopback = '127.0.0.1';
  return { apiHost: kubeletNode?.addresses.host ?? loopback, nodeHost: kubeletNode?.addresses.node ?? loopback };
}

function nodeNameOf({ name }: ClusterOptions): string {
  return `${name}-node`;
}
