import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ApiClient } from '../../hack/lab/api/client.ts';
import { findBinaries } from '../../hack/lab/binaries.ts';
import { takeDown } from '../../hack/lab/down.ts';
import { GatewayAccess } from '../../hack/lab/gateway-access.ts';
import { installOperator } from '../../hack/lab/install.ts';
import type { KubectlOptions, KubectlResult } from '../../hack/lab/kubectl.ts';
import { type Cluster, type Lab, type LabOptions, startLab } from '../../hack/lab/lab.ts';
import { podProcesses } from '../../hack/lab/pod-process.ts';
import type { PodProcess, ProcessRecord } from '../../hack/lab/processes/ledger.ts';
import { silent } from '../../hack/lab/progress.ts';
import type { UserName } from '../../hack/lab/users.ts';
import type { InForce } from '../../operator/gateway/in-force.ts';
import { program } from './program.ts';

export interface InstalledLabOptions extends Pick<LabOptions, 'targets' | 'nodes' | 'images' | 'restartBaseMs'> {
  /** Where it is; a fresh folder if nobody cares. What an earlier run left there is taken down first. */
  readonly dir?: string;
  /** More environment of the operator. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A process of a pod. */
export type RunningPod = ProcessRecord & { readonly pod: PodProcess };

/** A lab with the operator installed from config/default: what a user has after the quick start's first command. */
export class InstalledLab {
  readonly lab: Lab;
  readonly dir: string;
  #access: GatewayAccess | undefined;

  private constructor(lab: Lab, dir: string) {
    this.lab = lab;
    this.dir = dir;
  }

  static async start({ environment = {}, dir: wanted, ...options }: InstalledLabOptions): Promise<InstalledLab> {
    const dir = wanted ?? mkdtempSync(join(tmpdir(), 'clustertunnel-'));
    if (wanted !== undefined) await takeDown(dir, silent);
    const lab = await startLab({ dir, ...options });
    const installed = new InstalledLab(lab, dir);
    try {
      await installOperator({
        folder: dir,
        gatewayUrl: lab.gatewayUrl,
        hubKubeconfig: lab.hub.kubeconfigPath,
        kubectl: { file: lab.binaries.files.kubectl, cacheFolder: join(dir, 'kubectl') },
        progress: () => {},
        environment,
      });
      const hub = (args: readonly string[]) => installed.hub(args);
      installed.#access = await GatewayAccess.open({ folder: dir, gatewayUrl: lab.gatewayUrl, hub });
      return installed;
    } catch (error) {
      await installed.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.lab.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** kubectl at the hub, as its administrator. */
  hub(args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> {
    return this.lab.kubectl(this.lab.hub, args, options);
  }

  /** kubectl through a tunnel. `token`: of a person of the lab by name, or any other token. */
  through(tunnel: string, user: UserName | { token: string }, args: readonly string[], options: KubectlOptions = {}) {
    return this.lab.kubectl(this.kubeconfigFor(tunnel, user), args, options);
  }

  /** The path of a kubeconfig whose server is a tunnel. */
  kubeconfigFor(tunnel: string, user: UserName | { token: string }): string {
    const traveller = typeof user === 'string' ? this.lab.users[user] : { name: 'token', ...user };
    return this.#gateway.kubeconfigFor(traveller, tunnel);
  }

  /** Raw requests at the gateway as a person of the lab. Paths start with /clusters/. */
  gateway(user: UserName): ApiClient {
    return this.#gateway.client(this.lab.users[user]);
  }

  /** PEM of the gateway's CA. */
  get gatewayCa(): string {
    return this.#gateway.caPem;
  }

  get #gateway(): GatewayAccess {
    if (this.#access === undefined) throw new Error('the operator is not installed yet');
    return this.#access;
  }

  /** Applies objects at the hub. */
  apply(...objects: readonly object[]): Promise<KubectlResult> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    return this.hub(['apply', '-f', '-'], { input: JSON.stringify(list) });
  }

  /** The first cluster beside the hub. */
  get target(): Cluster {
    const [target] = this.lab.targets;
    if (target === undefined) throw new RangeError('this lab has no target');
    return target;
  }

  /** kubectl wait, until the tunnel is Ready. */
  waitReady(tunnel: string, seconds = 60): Promise<KubectlResult> {
    return this.hub(['wait', `ct/${tunnel}`, '--for=condition=Ready', `--timeout=${seconds}s`], {
      timeoutMs: (seconds + 5) * 1_000,
    });
  }

  /** The gateway's counters, from the operator's /debug/state. */
  async counters(): Promise<Record<string, number>> {
    return (await this.operatorState()).gateway;
  }

  /** /debug/state of the operator. */
  async operatorState(): Promise<{
    gateway: Record<string, number>;
    tunnels: readonly InForce[];
    handles: Record<string, number>;
  }> {
    const { pod } = this.operator();
    return JSON.parse(await getText(pod.podIP, 8080, '/debug/state'));
  }

  /** The process of the operator. @throws Error while none runs */
  operator(): RunningPod {
    const operators = podProcesses(this.lab.hub.dir, { namespace: 'clustertunnel-system' });
    // While one is replaced there are two: the younger one has more ticks since boot.
    const operator = operators.sort((a, b) => Number(a.startedAt) - Number(b.startedAt)).at(-1);
    if (operator?.pod === undefined) throw new Error('no operator runs');
    return { ...operator, pod: operator.pod };
  }

  /** Processes of the agents of a tunnel in one cluster. */
  agents(cluster: Cluster, tunnel: string, namespace = 'clustertunnel-agent'): RunningPod[] {
    const found = podProcesses(cluster.dir, { namespace, pod: `clustertunnel-agent-${tunnel}-` });
    return found.flatMap(({ pod, ...rest }) => (pod === undefined ? [] : [{ ...rest, pod }]));
  }

  /** `clustertunnel manifest`, applied at the cluster: what the owner of a Manual target does. */
  async applyManifest(tunnel: string, cluster: Cluster): Promise<void> {
    await this.lab.kubectl(cluster, ['apply', '-f', '-'], { input: await this.manifest(tunnel) });
  }

  /** What `clustertunnel manifest` prints: YAML documents, a new token in one of them. */
  async manifest(tunnel: string): Promise<string> {
    const options = { kubeconfig: this.lab.hub.kubeconfigPath, home: this.dir };
    const { exitCode, stdout, stderr } = await program(['manifest', tunnel], options);
    if (exitCode !== 0) throw new Error(`clustertunnel manifest ${tunnel} ended with ${exitCode}: ${stderr}`);
    return stdout;
  }
}

/** What a pod says at its probe port. */
export function opsText({ pod }: RunningPod, port: number, path: string): Promise<string> {
  return getText(pod.podIP, port, path);
}

/** In a suite's `before`: skips its tests, which say why, where no control plane can be started. */
export function needControlPlane(suite: Mocha.Context): void {
  const reason = whyNoControlPlane();
  if (reason === undefined) return;
  suite.test?.parent?.eachTest((test) => {
    test.title += ` (${reason})`;
  });
  // Throws: what follows in the hook does not run.
  suite.skip();
}

/** Why no control plane can be started here; undefined when one can. */
export function whyNoControlPlane(): string | undefined {
  const found = findBinaries();
  return 'files' in found ? undefined : 'no control plane binaries: run `make lab-binaries`';
}

function getText(host: string, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path, timeout: 5_000 }, (response) => resolve(text(response)));
    call.once('error', reject);
    call.end();
  });
}
